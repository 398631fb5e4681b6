"""What hosts measure of themselves and of real guests, read as the clients do.

Needs the lab's starting point, and for the second half the pool with a LUN. Proves: rows of a host and its guest are
real and go on over a restart of the daemon; a member answers to a session of the pool, and the history of a VM that
stopped is had from the master.
"""

import http.client
import json
import ssl
import time
from collections.abc import Callable
from typing import Any

from tests.lab.test_host_messages import daemon_pid, session_again

from cardume.lab.api import PASSWORD, USER, session
from cardume.lab.handle import LabHandle

ROWS_S = 300.0
MOVED_S = 240.0
NOBODY = "OpaqueRef:00000000-0000-4000-8000-000000000000"

Table = dict[str, list[float]]


def test_rows_of_a_host_and_its_guest_are_real_and_go_on_over_a_restart(lab: LabHandle, api: Any) -> None:
    (member,) = api.host.get_all()
    (vm,) = api.VM.get_by_name_label("vm-d1-g1")
    if api.VM.get_power_state(vm) != "Running":
        api.VM.start(vm, False, False)
    host, guest = f"host:{api.host.get_uuid(member)}", f"vm:{api.VM.get_uuid(vm)}"
    memory = int(api.VM_metrics.get_memory_actual(api.VM.get_metrics(vm)))

    def is_filled(table: Table) -> bool:  # the guest writes its ticks every second, once it has booted
        return len(known(table, f"{guest}:cpu0")) >= 3 and any(known(table, f"{guest}:vbd_xvda_write"))

    table = wait_rows(lab, "d1-g1", log_in(lab, "d1-g1"), is_filled)
    assert all(0 < value <= 1 for value in known(table, f"{guest}:cpu0"))
    assert set(known(table, f"{guest}:memory")) == {memory}
    assert min(known(table, f"{guest}:vbd_xvda_write")) >= 0
    assert all(0 < value <= 1 for value in known(table, f"{host}:cpu_avg"))
    assert 0 < min(known(table, f"{host}:memory_free_kib")) < max(known(table, f"{host}:memory_total_kib"))
    assert 0 <= api.VM.query_data_source(vm, "cpu0") <= 1

    began, before = time.time(), daemon_pid(lab)
    api.host.restart_agent(member)
    with session_again(lab, before):
        rows = wait_rows(lab, "d1-g1", log_in(lab, "d1-g1"), lambda table: newest(table) > began + 15)
    times = [when for when, value in zip(rows["t"], rows[f"AVERAGE:{guest}:memory"], strict=True) if value == memory]
    assert min(times) < began < max(times), "there is what was before, and what came after"


def test_a_member_answers_to_the_pool_and_the_master_has_the_history_of_a_halted_vm(lun_pool: LabHandle) -> None:
    with session(lun_pool.address("d1-g1")) as api:
        (vm,) = api.VM.get_by_name_label("vm-d2-g1")
        uuid, token = api.VM.get_uuid(vm), log_in(lun_pool, "d1-g1")
        if api.VM.get_power_state(vm) != "Running":
            api.VM.start(vm, False, False)
        try:
            wait_rows(lun_pool, "d2-g1", token, lambda table: len(known(table, f"vm:{uuid}:memory")) >= 2)
            assert api.VM.query_data_source(vm, "memory") > 0
            assert f"AVERAGE:vm:{uuid}:memory" not in rows(lun_pool, "d1-g1", token), "it runs on the other"
        finally:
            api.VM.hard_shutdown(vm)
        path = f"/vm_rrd?uuid={uuid}&json=true&session_id={token}"
        deadline = time.monotonic() + MOVED_S
        while get(lun_pool, "d2-g1", path)[0] != 302:
            assert time.monotonic() < deadline, "the member still serves the VM's history"
            time.sleep(0.5)
        status, body = get(lun_pool, "d1-g1", path)
        assert status == 200
        names = [source["name"] for source in json.loads(body)["ds"]]
        newest_rows = [row[names.index("memory")] for row in json.loads(body)["rra"][0]["database"]]
        assert any(value != "NaN" for value in newest_rows)
    assert get(lun_pool, "d2-g1", f"/host_rrd?session_id={NOBODY}")[0] == 401


def wait_rows(lab: LabHandle, host: str, session: str, is_enough: Callable[[Table], bool]) -> Table:
    """The newest rows of a host, once they are enough."""
    deadline = time.monotonic() + ROWS_S
    while True:
        table = rows(lab, host, session)
        if is_enough(table):
            return table
        assert time.monotonic() < deadline, f"not enough within {ROWS_S:g} s: {table}"
        time.sleep(1)


def rows(lab: LabHandle, host: str, session: str) -> Table:
    """By legend, the values that Xen Orchestra would draw of the last five minutes; `t`: their times."""
    start = int(time.time()) - 300
    query = f"cf=AVERAGE&host=true&interval=5&json=true&start={start}&session_id={session}"
    status, body = get(lab, host, f"/rrd_updates?{query}")
    assert status == 200, body
    told = json.loads(body)
    assert told["meta"]["step"] == "5"
    columns = zip(*(row["values"] for row in told["data"]), strict=True)
    table = {
        legend: [float(value) for value in column]
        for legend, column in zip(told["meta"]["legend"], columns, strict=False)
    }
    return {"t": [float(row["t"]) for row in told["data"]], **table}


def known(table: Table, name: str) -> list[float]:
    return [value for value in table.get(f"AVERAGE:{name}", []) if value == value]


def newest(table: Table) -> float:
    return max(table["t"], default=0.0)


def log_in(lab: LabHandle, host: str) -> str:
    """A session's reference, as clients put it into addresses."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "session.login_with_password", "params": [USER, PASSWORD]}
    return str(json.loads(get(lab, host, "/jsonrpc", json.dumps(call))[1])["result"])


def get(lab: LabHandle, host: str, path: str, posted: str | None = None) -> tuple[int, str]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(lab.address(host), timeout=60, context=context)
    try:
        connection.request("GET" if posted is None else "POST", path, posted)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
