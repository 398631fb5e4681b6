"""When a host may believe that its own data of the pool database has everything: by lives, boots, the master."""

from dataclasses import replace
from pathlib import Path

import pytest

from cardume.daemons.pool_map import KnownHost, PoolMap
from cardume.daemons.vote import OFF, OwnLife, Vote

MASTER, MEMBER, THIRD = "a", "b", "c"
HOSTS = tuple(KnownHost(uuid, f"10.0.0.{n}", f"d{n}-g1") for n, uuid in enumerate((MASTER, MEMBER, THIRD), 1))
SETTLED = PoolMap(3, MASTER, "pool-1", (MASTER, MEMBER), HOSTS, ha=True, settled=True)
UNKNOWN = -1


class Member:
    """A host whose boots and lives come and go; its file stays."""

    def __init__(self, tmp_path: Path, life: int | None = None) -> None:
        self.path, self.life, self.boot = tmp_path / "vote.json", life, "first boot"

    def vote(self) -> Vote:
        return Vote(self.path, MEMBER, self.boot, lambda: self.life)


@pytest.fixture
def member(tmp_path: Path) -> Member:
    return Member(tmp_path)


def test_it_counts_for_the_map_that_it_was_noted_with_alone(member: Member) -> None:
    member.vote().note(SETTLED)
    again = member.vote()
    assert again.holds(SETTLED)
    assert again.holds(replace(SETTLED, settled=False, copied_from=7))
    assert not again.holds(replace(SETTLED, generation=4))
    assert not again.holds(replace(SETTLED, voters=(MEMBER,)))
    assert not again.holds(replace(SETTLED, cluster="pool-2"))


@pytest.mark.parametrize(
    "told",
    [
        replace(SETTLED, settled=False),
        replace(SETTLED, voters=(MASTER, THIRD)),
        replace(SETTLED, voters=(MASTER,)),
    ],
)
def test_it_ends_when_the_master_tells_of_none(member: Member, told: PoolMap) -> None:
    vote = member.vote()
    vote.note(SETTLED)
    vote.note(told)
    assert not vote.holds(SETTLED)
    assert not vote.holds(told)


def test_without_high_availability_no_boot_outlives_it(member: Member) -> None:
    member.vote().note(SETTLED)
    member.boot = "second boot"
    assert not member.vote().holds(SETTLED)


@pytest.mark.parametrize(
    ("life", "holds"),
    [
        (OwnLife(5, UNKNOWN), True),
        (OwnLife(6, 5), True),
        (OwnLife(6, UNKNOWN), False),
        (OwnLife(7, 6), False),
        (OwnLife(6, OFF), False),
    ],
    ids=["the same life", "the next one, which formed alone", "one that was let in", "one too many", "a new enabling"],
)
@pytest.mark.parametrize("boot", ["first boot", "second boot"])
def test_it_counts_for_its_life_and_for_one_that_goes_on_where_that_ended(
    member: Member, life: OwnLife, boot: str, *, holds: bool
) -> None:
    member.life = 5
    member.vote().note(SETTLED)
    member.boot = boot
    assert member.vote().holds(SETTLED, life) is holds


def test_what_was_noted_before_the_enabling_counts_for_the_life_that_began_with_it_in_this_boot(member: Member) -> None:
    member.vote().note(SETTLED)
    assert member.vote().holds(SETTLED, OwnLife(1, OFF))
    assert not member.vote().holds(SETTLED, OwnLife(2, UNKNOWN))
    member.boot = "second boot"
    assert not member.vote().holds(SETTLED, OwnLife(1, OFF))


def test_it_is_carried_on_from_life_to_life_as_long_as_it_holds(member: Member) -> None:
    vote = member.vote()
    vote.note(SETTLED)
    vote.carry(SETTLED, OwnLife(1, OFF))
    member.boot = "second boot"
    vote = member.vote()
    vote.carry(SETTLED, OwnLife(2, 1))
    assert vote.holds(SETTLED, OwnLife(3, 2))
    vote.carry(SETTLED, OwnLife(4, UNKNOWN))
    assert not vote.holds(SETTLED, OwnLife(4, UNKNOWN))
    vote.drop()
    vote.carry(SETTLED, OwnLife(3, 2))
    assert not vote.holds(SETTLED, OwnLife(3, 2))


def test_a_file_of_another_version_says_nothing(member: Member) -> None:
    member.path.write_text('{"cluster": "pool-1", "generation": 3, "master": "a", "voters": ["a", "b"]}')
    assert not member.vote().holds(SETTLED)
    member.path.write_text("[]")
    assert not member.vote().holds(SETTLED)
