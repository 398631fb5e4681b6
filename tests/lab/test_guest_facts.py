"""What is known of a guest from inside and from outside, with its agent and with one that is stuck.

Needs the usual lab: a running VM. Proves: a guest's clock is right again after a suspend; the addresses of a guest
whose agent is stuck are heard; and such a guest shuts down by ACPI.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.lab.guest_page import BOOT_S
from tests.lab.rfb_client import ByConnect
from tests.lab.test_consoles import HOST, Shell, path_of, session_id

from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

__all__ = ["session_id"]

SUSPENDED_S = 6
CLOCK_WITHIN_S = 2.5
TOLD_S = 180
SHUTDOWN_S = 180


@pytest.fixture
def vm(api: Any) -> Iterator[str]:
    """A VM whose agent answers."""
    (vm,) = api.VM.get_by_name_label(f"vm-{HOST}")
    if api.VM.get_power_state(vm) != "Running":
        api.VM.start(vm, False, False)
    wait_until("the guest's agent", lambda: bool(facts(api, vm).get("live")), BOOT_S)
    yield str(vm)
    if api.VM.get_power_state(vm) == "Running":
        api.VM.hard_shutdown(vm)  # its agent may be stuck
    api.VM.start(vm, False, False)


def facts(api: Any, vm: str) -> dict[str, Any]:
    metrics = api.VM.get_guest_metrics(vm)
    return {} if metrics == "OpaqueRef:NULL" else dict(api.VM_guest_metrics.get_record(metrics))


def test_a_guest_is_known_from_inside_and_from_outside(api: Any, lab: LabHandle, vm: str, session_id: str) -> None:
    assert facts(api, vm)["PV_drivers_up_to_date"]
    wait_until("its system", lambda: facts(api, vm)["os_version"].get("distro") == "cardume-lab-guest", BOOT_S)
    api.VM.suspend(vm)
    time.sleep(SUSPENDED_S)
    api.VM.resume(vm, False, False)
    line = Shell(ByConnect(lab.address(HOST), path_of(api, vm, "vt100", session_id)))
    wait_until("the right time", lambda: is_right(line, api), TOLD_S, every_s=1.0)

    line.say("killall -STOP qemu-ga; echo agent is stu''ck")
    line.wait_for("agent is stuck")
    wait_until("the agent's silence", lambda: not facts(api, vm)["live"], TOLD_S)
    assert facts(api, vm)["networks"]["0/ip"]
    other = lab.address(HOST).rpartition(".")[0] + ".99"
    line.say(f"ip addr add {other}/32 dev eth0; ping -c 1 -I {other} {lab.address(HOST)} >/dev/null; echo sai''d")
    line.wait_for("said")
    wait_until("the new address", lambda: other in facts(api, vm)["networks"].values(), TOLD_S)

    began_s = time.monotonic()
    api.VM.clean_shutdown(vm)
    assert time.monotonic() - began_s < SHUTDOWN_S
    assert api.VM.get_power_state(vm) == "Halted"


def is_right(line: Shell, api: Any) -> bool:
    """Whether the guest's clock was within the host's before it was asked and after it had told."""
    earliest = host_time(api) - CLOCK_WITHIN_S
    return earliest < guest_time(line) < host_time(api) + CLOCK_WITHIN_S


def guest_time(line: Shell) -> float:
    mark = f"clock {time.monotonic_ns()}: "  # what it told before stands on the line yet
    line.say(f"echo {mark}$(date +%s)/")
    return float(line.wait_for("/", after=mark))


def host_time(api: Any) -> float:
    (host,) = api.host.get_all()
    told = str(api.host.get_servertime(host))
    return datetime.strptime(told, "%Y%m%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
