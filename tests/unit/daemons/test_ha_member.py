"""A member that becomes the master by its HA daemon's word, and by nothing else."""

import asyncio
from dataclasses import dataclass, field

from cardume.core.survival import Verdict
from cardume.daemons.ha_member import HaMember
from cardume.hostops.ha.interface import HaEvent, HaEventKind
from cardume.hostops.ha.memory_ha import MemoryHa
from cardume.pooldb.store import NoQuorum

MASTER, MEMBER, THIRD = "master", "member", "third"
DEAD = HaEvent(0, HaEventKind.LIFE_ENDED, 2, MASTER, 1)
LEADS = HaEvent(0, HaEventKind.LEAD, 2, MEMBER)


@dataclass
class Database:
    """Follows verdicts, after having failed so often."""

    failing: int = 0
    obeyed: list[Verdict] = field(default_factory=list)

    async def obey(self, verdict: Verdict) -> None:
        self.obeyed.append(verdict)
        if len(self.obeyed) <= self.failing:
            raise NoQuorum("not yet")


async def told(events: list[HaEvent], database: Database, times: int) -> list[Verdict]:
    """The verdicts that the database was given, once the member was told all of this."""
    agent = MemoryHa(MEMBER)
    for event in events:
        agent.tell(event)
    running = asyncio.create_task(HaMember(agent, MEMBER, lambda: [MASTER, MEMBER, THIRD], database.obey).run())
    async with asyncio.timeout(60):
        while len(database.obeyed) < times:
            await asyncio.sleep(0.01)
    running.cancel()
    return database.obeyed


async def test_a_member_that_leads_becomes_the_master_among_those_that_live() -> None:
    assert (await told([DEAD, LEADS], Database(), 1))[0] == Verdict(2, MEMBER, frozenset({MEMBER, THIRD}))


async def test_the_life_before_its_own_is_no_reason_to_think_itself_dead() -> None:
    """Its host has restarted: what it is told comes in this order, the members first."""
    alone = HaEvent(0, HaEventKind.MEMBERS, 2, members=(MEMBER,), master=MEMBER)
    own = HaEvent(0, HaEventKind.LIFE_ENDED, 2, MEMBER, 1)
    assert (await told([alone, DEAD, own, LEADS], Database(), 1))[0] == Verdict(2, MEMBER, frozenset({MEMBER, THIRD}))


async def test_it_tries_again_until_the_database_can_be_written() -> None:
    assert len(await told([DEAD, LEADS], Database(failing=1), 2)) == 2


async def test_one_that_was_admitted_again_is_not_dead() -> None:
    back = HaEvent(0, HaEventKind.MEMBERS, 3, members=(MASTER, MEMBER, THIRD), master=MEMBER)
    assert (await told([DEAD, LEADS, back], Database(), 1))[0] == Verdict(3, MEMBER, frozenset({MASTER, MEMBER, THIRD}))


async def test_what_was_so_and_is_not_any_more_does_nothing() -> None:
    agent, database = MemoryHa(MEMBER), Database()
    for event in (DEAD, LEADS, HaEvent(0, HaEventKind.STOP_LEADING)):
        agent.tell(event)
    running = asyncio.create_task(HaMember(agent, MEMBER, lambda: [MEMBER], database.obey).run())
    await asyncio.sleep(0.05)
    running.cancel()
    assert database.obeyed == []


async def test_decisions_count_anew_after_high_availability_was_off() -> None:
    before = HaEvent(0, HaEventKind.LIFE_ENDED, 9, THIRD, 1)
    off = HaEvent(0, HaEventKind.TURNED_OFF, host=MEMBER)
    verdicts = await told([before, off, DEAD, LEADS], Database(), 1)
    assert verdicts[0] == Verdict(2, MEMBER, frozenset({MEMBER, THIRD}))
