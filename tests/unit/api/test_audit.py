"""The audit log: who asked for what and how it ended, without the values that were given; whole over renewals."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.unit.api.served_api import Api, Refused, served

from cardume.api.audit_log import audit_handlers
from cardume.hostops import audit_file
from cardume.hostops.audit_file import AuditFile


@pytest.fixture
def log(tmp_path: Path) -> AuditFile:
    return AuditFile(tmp_path / "audit.log")


@pytest.fixture
async def api(tmp_path: Path, log: AuditFile) -> AsyncIterator[Api]:
    async with served(tmp_path, note=log.note, handlers=audit_handlers(log)) as api:
        yield api


def entries(log: AuditFile, *fields: str) -> list[list[Any]]:
    return [[json.loads(line)[field] for field in fields] for line in log.lines()]


async def test_changes_are_noted_with_their_objects_and_reads_are_not(api: Api, log: AuditFile) -> None:
    session = await api.login()
    await api.rpc("VM.get_record", session, api.vm)
    await api.rpc("VM.set_name_description", session, api.vm, "the value is nobody's business")
    await api.rpc("session.logout", session)

    told = entries(log, "user", "message", "outcome")
    assert told == [
        ["", "session.login_with_password", "ok"],
        ["root", "VM.set_name_description", "ok"],
        ["root", "session.logout", "ok"],
    ]
    first, change, _ = [json.loads(line) for line in log.lines()]
    assert first["uname"] == "root"
    assert change["objects"] == [{"ref": api.vm, "class": "VM", "uuid": api.db.get(api.vm).uuid, "name_label": "vm-1"}]
    assert not any(word in b"".join(log.lines()) for word in (b"business", b"root-pw"))


async def test_refusals_are_noted_by_their_error(api: Api, log: AuditFile) -> None:
    with pytest.raises(Refused):
        await api.rpc("session.login_with_password", "root", "wrong")
    session = await api.login("reader")
    with pytest.raises(Refused):
        await api.rpc("VM.set_name_description", session, api.vm, "mine")
    assert entries(log, "message", "outcome")[0] == ["session.login_with_password", "SESSION_AUTHENTICATION_FAILED"]
    assert entries(log, "user", "message", "outcome")[-1] == [
        "reader",
        "VM.set_name_description",
        "RBAC_PERMISSION_DENIED",
    ]


async def test_the_log_is_read_over_http_and_so_is_a_part_of_it(api: Api, log: AuditFile) -> None:
    session = await api.login()
    for number in range(500):
        log.note({"time": f"2026-01-01T00:00:{number:03}", "message": "old"})
    async with api.http.get(f"{api.url}/audit_log", params={"session_id": session}) as answer:
        assert answer.status == 200
        assert len((await answer.read()).splitlines()) == 501
    params = {"session_id": session, "since": "2026-06-01"}
    async with api.http.get(f"{api.url}/audit_log", params=params) as answer:
        told = [json.loads(line)["message"] for line in (await answer.read()).splitlines()]
    assert told == ["session.login_with_password", "GET /audit_log"]
    async with api.http.get(
        f"{api.url}/audit_log", headers={"Authorization": aiohttp.encode_basic_auth("nobody", "x")}
    ) as answer:
        assert answer.status == 401


def test_a_long_log_is_renewed_and_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_file, "KEPT", 3)
    log = AuditFile(tmp_path / "audit.log", most_bytes=100)
    for number in range(40):
        log.note({"time": f"{number:02}", "text": "x" * 20})
    numbers = [json.loads(line)["time"] for line in log.lines()]
    assert numbers == [f"{number:02}" for number in range(40 - len(numbers), 40)]
    assert len(numbers) >= 9
    assert len(list(tmp_path.iterdir())) <= 4
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_a_log_that_a_crash_cut_is_read_and_written_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b'{"time":"1"}\n{"tim')
    log = AuditFile(path)
    log.note({"time": "2"})
    assert b'"2"' in b"".join(log.lines())
    assert [json.loads(line)["time"] for line in log.lines("2")] == ["2"]


async def test_a_call_that_was_done_is_answered_also_when_the_log_has_no_room(
    api: Api, log: AuditFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room() -> None:
        raise OSError(28, "No space left on device")

    session = await api.login()
    monkeypatch.setattr(log, "_open", no_room)
    await api.rpc("VM.set_name_description", session, api.vm, "done")
    monkeypatch.undo()
    await api.rpc("session.logout", session)
    assert api.db.get(api.vm).name_description == "done"
    assert entries(log, "message") == [["session.login_with_password"], ["session.logout"]]
