"""VM.migrate_send and VM.assert_can_migrate inside a pool of two hosts in memory."""

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from tests.unit.messages.test_two_hosts import add_repository
from tests.unit.messages.test_vm_migration import Two, refusal, two

from cardume.datamodel.network import Network
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.storage.memory_driver import MemoryDriver
from cardume.messages.host_power import disable
from cardume.messages.vm_migrate_send import assert_can_migrate, migrate_receive, migrate_send
from cardume.messages.vm_power import hard_shutdown

__all__ = ["two"]


def disk_of(two: Two) -> Ref[VDI]:
    (vbd,) = two.db.get(two.vm).VBDs
    return two.db.get(vbd).VDI


async def there(two: Two) -> Mapping[str, str]:
    return await migrate_receive(two.call, two.second.host, network_of(two), {})


def network_of(two: Two) -> Ref[Any]:
    return next(iter(two.db.all(Network)))


async def send(two: Two, to: Mapping[str, str], disks: Mapping[Ref[VDI], Ref[SR]] | None = None, **said: Any) -> Any:
    """Both messages, which have to agree."""
    live, options = said.get("live", True), said.get("options", {})
    asked = partial(_call, two, to, live, disks or {}, options)
    try:
        await asked(assert_can_migrate)
    except Exception:
        before = two.where()
        try:
            return await asked(partial(migrate_send, vdi_format_map={}))
        finally:
            assert two.where() == before
    return await asked(partial(migrate_send, vdi_format_map={}))


async def _call(
    two: Two, to: Mapping[str, str], live: bool, disks: Mapping[Ref[VDI], Ref[SR]], options: Mapping[str, str], of: Any
) -> Any:
    return await of(two.call, two.vm, to, live, disks, {}, options, {})


async def test_a_running_vm_goes_with_its_disks_where_they_are(two: Two) -> None:
    same = {disk_of(two): two.db.get(disk_of(two)).SR}

    assert await send(two, await there(two), same) == two.vm
    assert two.where() == (two.second.host, NULL, {two.second.host})
    assert await send(two, await there(two), same) == two.vm, "it is there already"


async def test_what_a_move_cannot_do_is_refused_and_nothing_happens(two: Two) -> None:
    local = await add_repository(two.first, "local", shared=False)
    disk, to = disk_of(two), await there(two)

    assert await refusal(send(two, to, {disk: local})) == ["VDI_IN_USE", disk, "mirror"]
    assert (await refusal(send(two, {"host": "OpaqueRef:of-another-pool"})))[0] == "OPERATION_NOT_ALLOWED"
    assert (await refusal(send(two, to, options={"copy": "true"})))[0] == "OPERATION_NOT_ALLOWED"
    assert (await refusal(send(two, to, live=False)))[:2] == ["VM_BAD_POWER_STATE", two.vm]
    await disable(two.call, two.second.host, False)
    assert await refusal(send(two, to)) == ["HOST_DISABLED", two.second.host]
    assert await refusal(there(two)) == ["HOST_DISABLED", two.second.host]


async def test_the_disks_of_a_halted_vm_move(two: Two) -> None:
    target = await add_repository(two.first, "roomy", shared=False)
    cast(MemoryDriver, two.first.hands.storage["memory"]).shelf.volumes.setdefault(two.db.get(target).uuid, {})
    await hard_shutdown(two.call, two.vm)
    old = disk_of(two)

    await send(two, await there(two), {old: target})

    assert target == two.db.get(disk_of(two)).SR
    assert two.db.find(old) is None
    assert two.db.get(two.vm).power_state == VMPowerState.HALTED
    assert two.db.get(two.vm).current_operations == {}
