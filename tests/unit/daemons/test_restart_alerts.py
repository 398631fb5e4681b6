"""What is told of protected VMs that cannot be restarted, and when they run again."""

from datetime import UTC, datetime, timedelta

from tests.unit.daemons.lost_host import Lost, lost, waits
from tests.unit.messages.test_ha_enabling import ha
from tests.unit.messages.test_ha_plan import more
from tests.unit.messages.test_two_hosts import GIB
from tests.unit.messages.test_vm_migration import two

from cardume.daemons.restart_alerts import RestartAlerts
from cardume.datamodel import errors
from cardume.datamodel.message import Message
from cardume.datamodel.refs import NULL
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages import vm_power

__all__ = ["ha", "lost", "two"]


async def test_a_vm_that_cannot_be_started_is_told_of_once_and_again_when_it_runs(lost: Lost) -> None:
    vm = await more(lost.ha.two, "web", GIB)
    await waits(lost, vm)
    lost.failing[vm] = errors.VDI_MISSING(NULL, NULL)
    await lost.hear()
    await lost.act()
    await lost.act()
    failed = [alert for alert in lost.db.all(Message).values() if alert.name == "HA_PROTECTED_VM_RESTART_FAILED"]
    assert [alert.obj_uuid for alert in failed] == [lost.db.get(vm).uuid]
    assert failed[0].body.startswith("The protected VM 'web' could not be restarted, tried 2 times: ")
    assert failed[0].priority == 2
    del lost.failing[vm]
    lost.restarts._past = type(lost.restarts._past)()  # two minutes later
    await lost.act()
    assert lost.where(vm)[0] is VMPowerState.RUNNING
    assert lost.alerts().count("HA_PROTECTED_VM_RESTARTED") == 1


async def test_a_vm_that_fails_on_is_told_of_again_after_half_an_hour_and_not_before(lost: Lost) -> None:
    vm = await more(lost.ha.two, "web", GIB)
    await waits(lost, vm)
    lost.failing[vm] = errors.VDI_MISSING(NULL, NULL)
    await lost.hear()
    now = datetime.now(UTC)
    lost.restarts._restart_alerts = RestartAlerts(lost.db, lambda: now)
    counts = []
    for minutes in (0, 2, 28, 30, 32, 58, 60):
        now = datetime.now(UTC) + timedelta(minutes=minutes)
        lost.restarts._past = lost.restarts._past.tried((vm, vm), -1000.0, {vm: frozenset()})  # long ago
        await lost.act()
        counts.append(lost.alerts().count("HA_PROTECTED_VM_RESTART_FAILED"))
    assert counts == [1, 1, 1, 2, 2, 2, 3]


async def test_another_daemon_goes_on_with_what_was_told_and_sees_who_is_started_by_hand(lost: Lost) -> None:
    vm = await more(lost.ha.two, "web", GIB)
    await waits(lost, vm)
    lost.failing[vm] = errors.VDI_MISSING(NULL, NULL)
    await lost.hear()
    await lost.act()
    for _ in range(2):
        lost.restarts._restart_alerts = RestartAlerts(lost.db)
        await lost.restarts._restart_alerts.failed(vm, "No.", 2)
        assert lost.alerts().count("HA_PROTECTED_VM_RESTART_FAILED") == 1
    await vm_power.start_on(lost.ha.two.call, vm, lost.ha.two.second.host, False, False)
    for _ in range(2):
        await lost.act()
    assert lost.alerts().count("HA_PROTECTED_VM_RESTARTED") == 1
    await vm_power.hard_shutdown(lost.ha.two.call, vm)
    await waits(lost, vm)
    await lost.act()
    assert lost.alerts().count("HA_PROTECTED_VM_RESTART_FAILED") == 2
