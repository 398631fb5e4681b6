"""A VM's screen and serial line through `/console`, with a VNC client that is small and real.

Needs the usual lab: a running VM on each host. Proves: the screen's picture by CONNECT and by WebSocket, keys that
reach the guest, a shell on its serial line, and what nobody may look at.
"""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import XenAPI
from tests.lab.guest_page import BOOT_S
from tests.lab.rfb_client import ByConnect, ByWebSocket, shake_hands

from cardume.lab.api import PASSWORD, USER
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

HOST = "d1-g1"


@pytest.fixture
def vm(api: Any) -> str:
    (vm,) = api.VM.get_by_name_label(f"vm-{HOST}")
    if api.VM.get_power_state(vm) != "Running":
        api.VM.start(vm, False, False)
    return str(vm)


@pytest.fixture
def session_id(lab: LabHandle) -> Iterator[str]:
    client = XenAPI.Session(f"https://{lab.address(HOST)}", ignore_ssl=True)
    client.xenapi.login_with_password(USER, PASSWORD, "1.0", "console test")
    yield str(client._session)
    client.xenapi.session.logout()


def path_of(api: Any, vm: str, protocol: str, session_id: str) -> str:
    records = [api.console.get_record(console) for console in api.VM.get_consoles(vm)]
    location: str
    (location,) = [record["location"] for record in records if record["protocol"] == protocol]
    (host,) = api.host.get_all()
    start = f"https://{api.host.get_address(host)}/"
    assert location.startswith(f"{start}console?uuid=")
    return "/" + location.removeprefix(start) + f"&session_id={session_id}"


class Shell:
    """The shell on the guest's serial line."""

    def __init__(self, way: ByConnect) -> None:
        assert way.status == 200
        self._way = way
        self._seen = b""
        wait_until("the guest's shell", self._prompts, BOOT_S)

    def _prompts(self) -> bool:
        self.say("")  # starts the shell, where nobody did yet; lost on a guest that is still booting
        self._seen += self._way.receive_some(1)
        return b"/ # " in self._seen

    def say(self, line: str) -> None:
        self._way.send(line.encode() + b"\r")

    def hears(self, answer: str, within_s: float) -> bool:
        """Whether the guest says that within the time."""
        deadline = time.monotonic() + within_s
        while answer.encode() not in self._seen:
            if time.monotonic() > deadline:
                return False
            self._seen += self._way.receive_some(1)
            time.sleep(0.1)
        return True

    def wait_for(self, answer: str, after: str = "") -> str:
        """What was said between `after` and the answer."""
        pattern = re.compile(re.escape(after.encode()) + rb"([^\r\n$]*?)" + re.escape(answer.encode()))
        while (found := pattern.search(self._seen)) is None:
            piece = self._way.receive_some()
            assert piece, f"the line ended after {self._seen!r}"
            self._seen += piece
        return found[1].decode()


def read_until_typed(shell: Shell, line: str, type_it: Callable[[], None]) -> None:
    """Have the guest read lines at its screen until it has read this one, which is typed as often as it takes.

    A PC's keyboard keeps sixteen bytes for a guest that is not given a processor, and loses what comes then.
    """
    mark = time.monotonic_ns()  # the line shows what the guest is asked to say, in two pieces, before the guest says it
    reads = f"while :; do read -r said; [ \"$said\" = '{line}' ] && break; done"
    shell.say(f"echo be''gun {mark}; ({reads}) </dev/tty1; echo re''ad {mark}")
    shell.wait_for(f"begun {mark}")
    deadline = time.monotonic() + BOOT_S
    type_it()
    while not shell.hears(f"read {mark}", within_s=10):
        assert time.monotonic() < deadline, f"the guest did not read: {line}"
        type_it()


@pytest.fixture
def shell(api: Any, lab: LabHandle, vm: str, session_id: str) -> Iterator[Shell]:
    way = ByConnect(lab.address(HOST), path_of(api, vm, "vt100", session_id))
    yield Shell(way)
    way.close()


def test_the_serial_line_has_the_guests_shell(shell: Shell) -> None:
    shell.say("echo $((6*7)) is the answer")
    shell.wait_for("42 is the answer")


@pytest.mark.parametrize("kind", [ByConnect, ByWebSocket])
def test_the_screen_shows_its_picture_and_its_keys_reach_the_guest(
    api: Any, lab: LabHandle, vm: str, session_id: str, shell: Shell, kind: type[ByConnect | ByWebSocket]
) -> None:
    way = kind(lab.address(HOST), path_of(api, vm, "rfb", session_id))
    try:
        screen = shake_hands(way)
        assert screen.width >= 640
        assert screen.height >= 400
        wait_until("something on the screen", lambda: len(set(screen.look())) > 1, BOOT_S, every_s=0.5)
        read_until_typed(shell, "typed there", lambda: screen.press("\ntyped there\n"))
    finally:
        way.close()


def test_nobody_looks_without_a_session_nor_at_a_vm_that_does_not_run(
    api: Any, lab: LabHandle, vm: str, session_id: str
) -> None:
    (template,) = api.VM.get_by_name_label("Cardume lab guest")
    for path, status in (
        (path_of(api, vm, "rfb", "OpaqueRef:none"), 401),
        (f"/console?uuid=none&session_id={session_id}", 404),
        (f"/console?ref={template}&session_id={session_id}", 409),
    ):
        way = ByConnect(lab.address(HOST), path)
        assert way.status == status
        way.close()
