"""Interfaces whose loss moves VMs, followed while high availability is on."""

from tests.unit.daemons.lost_host import Lost, lost
from tests.unit.messages.test_ha_enabling import ha
from tests.unit.messages.test_vm_migration import two

from cardume.datamodel.network import Network
from cardume.datamodel.pif import PIF
from cardume.hostops.ha.interface import HaError
from cardume.messages.ha_plan import the_pool

__all__ = ["ha", "lost", "two"]


def uplinks(lost: Lost) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    return lost.ha.first.uplinks, lost.ha.second.uplinks


async def test_interfaces_of_networks_that_are_marked_while_ha_is_on_are_watched_each_in_its_own_place(
    lost: Lost,
) -> None:
    two, db = lost.ha.two, lost.db
    await lost.hear()
    await lost.act()
    assert uplinks(lost) == (None, None)
    pifs = {db.get(ref).host: ref for ref in db.all(PIF)}
    network = db.get(pifs[two.first.host]).network
    await db.update(network, other_config={"ha_uplink": "true"})
    await lost.act()
    both = tuple(
        (db.get(pifs[one.host]).device if db.get(pifs[one.host]).network == network else "",)
        for one in (two.first, two.second)
    )
    assert uplinks(lost) == both
    second = await db.create(Network(name_label="a", other_config={"ha_uplink": "true"}, bridge="xapi9"))
    await db.update(pifs[two.first.host], network=second)  # as one that has come into a bond
    await db.update(network, other_config={})
    await lost.act()
    assert lost.ha.first.uplinks == ("", db.get(pifs[two.first.host]).device)
    assert the_pool(db)[1].ha_configuration["uplink_networks"].split(",") == [
        db.get(network).uuid,
        db.get(second).uuid,
    ]
    await db.update(pifs[two.first.host], currently_attached=False)
    await lost.act()
    assert lost.ha.first.uplinks == ("", "")


async def test_a_host_that_could_not_be_told_what_to_watch_or_has_come_anew_is_told_again(lost: Lost) -> None:
    first, db = lost.ha.two.first.host, lost.db
    pif = next(ref for ref, record in db.all(PIF).items() if record.host == first)
    await db.update(db.get(pif).network, other_config={"ha_uplink": "true"})
    await lost.hear()
    lost.ha.first.fail_next("watch_uplinks", HaError("HA is just beginning here"))
    await lost.act()
    assert lost.ha.first.uplinks is None
    for _ in range(2):
        await lost.act()
        assert lost.ha.first.uplinks == (db.get(pif).device,)
    assert lost.ha.first.asked.count("watch_uplinks") == 2
    lost.came[first] += 1
    await lost.act()
    assert lost.ha.first.asked.count("watch_uplinks") == 3
