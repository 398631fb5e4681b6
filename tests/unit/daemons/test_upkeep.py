"""Repositories that a host cannot attach after a stop: it goes on trying, whoever looks after it by then."""

from typing import cast

from tests.unit.messages.test_two_hosts import Alone, add_repository, alone
from tests.unit.messages.test_vm_migration import Two, two

from cardume.daemons.upkeep import Upkeep
from cardume.datamodel.pbd import PBD
from cardume.datamodel.refs import Ref
from cardume.hostops.errors import StorageError
from cardume.hostops.storage.memory_driver import MemoryDriver
from cardume.messages import pbd as messages
from cardume.messages.pbd import PLUG_AGAIN
from cardume.messages.storage_values import find_pbd, repository

__all__ = ["two"]


async def that_failed() -> tuple[Alone, Ref[PBD]]:
    """A host whose repository could not be attached after a stop."""
    one = await alone("d1-g1", 1)
    sr = await add_repository(one, "far away", shared=True)
    driver = cast(MemoryDriver, one.hands.storage["memory"])
    await driver.create(repository(one.db, sr, one.host))
    driver.fail_next("attach", StorageError("no answer"))
    await Upkeep(one.db, one.hands, one.host).recover(after_boot=True)
    link = find_pbd(one.db, sr, one.host)
    assert link is not None
    assert not one.db.get(link).currently_attached
    return one, link


async def test_what_could_not_be_attached_is_attached_later() -> None:
    one, link = await that_failed()
    await Upkeep(one.db, one.hands, one.host)._replug()
    assert one.db.get(link).currently_attached
    assert PLUG_AGAIN not in one.db.get(link).other_config


async def test_what_could_not_be_attached_is_attached_by_a_daemon_that_starts_anew() -> None:
    """Or by the next master, or when a member has come once more."""
    one, link = await that_failed()
    await Upkeep(one.db, one.hands, one.host).recover()
    assert one.db.get(link).currently_attached


async def test_what_somebody_unplugs_meanwhile_stays_so(two: Two) -> None:
    one = two.first
    sr = await add_repository(one, "far away", shared=False)
    link = find_pbd(two.db, sr, one.host)
    assert link is not None
    await two.db.update(link, currently_attached=False, other_config={"mine": "kept", PLUG_AGAIN: "true"})
    await messages.detach(two.call, link)
    await Upkeep(two.db, one.hands, one.host)._replug()
    assert not two.db.get(link).currently_attached
    assert two.db.get(link).other_config == {"mine": "kept"}
