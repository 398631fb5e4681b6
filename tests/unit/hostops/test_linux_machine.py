"""What a host is told to do with itself, by which command."""

import pytest

from cardume.hostops.machine import linux_machine
from cardume.hostops.machine.linux_machine import LinuxMachine


async def test_a_host_goes_down_after_the_answer_and_not_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, the daemon that answers may be stopped first, and who asked hears that the host does not answer."""
    ran: list[tuple[str, ...]] = []

    async def run(*command: str, timeout_s: float) -> str:
        ran.append(command)
        return ""

    monkeypatch.setattr(linux_machine, "run", run)
    await LinuxMachine().reboot()
    await LinuxMachine().power_off()

    assert [(command[0], command[-1]) for command in ran] == [("systemd-run", "reboot"), ("systemd-run", "poweroff")]
    assert all("--on-active=1" in command for command in ran)
