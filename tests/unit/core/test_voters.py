"""Who keeps the pool database, as tables; and that any sequence of steps ends, with a majority alive all the time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardume.core.voters import AddLearner, PoolHost, Promote, Remove, Step, count_voters, plan_voters

DEAD = 601.0
AWAY = 30.0


def pool(names: str, **dead: float) -> list[PoolHost]:
    return [PoolHost(name, dead.get(name, 0.0)) for name in names]


@pytest.mark.parametrize(
    ("hosts", "ha", "voters"),
    [
        (1, False, 0),
        (2, False, 1),
        (2, True, 2),
        (3, False, 3),
        (3, True, 3),
        (7, False, 3),
        (8, False, 5),
        (64, True, 5),
    ],
)
def test_the_number_of_voters_follows_from_the_number_of_hosts(hosts: int, ha: bool, voters: int) -> None:
    assert count_voters(hosts, ha=ha) == voters


@pytest.mark.parametrize(
    ("hosts", "members", "ha", "step"),
    [
        # two hosts
        (pool("ab"), {"a": True}, False, None),
        (pool("ab"), {"a": True}, True, AddLearner("b")),
        (pool("ab"), {"a": True, "b": False}, True, Promote("b")),
        (pool("ab"), {"a": True, "b": True}, True, None),
        (pool("ab"), {"a": True, "b": True}, False, Remove("b")),
        (pool("ab"), {"a": True, "b": False}, False, Remove("b")),
        # two hosts without HA, and the master has moved: the new master's vote first
        (pool("ab"), {"b": True}, False, AddLearner("a")),
        (pool("ab"), {"b": True, "a": False}, False, Promote("a")),
        (pool("ab"), {"b": True, "a": True}, False, Remove("b")),
        # a verdict says that one of three is dead: it goes at once, and a returning one is taken in again
        ([*pool("ab"), PoolHost("c", 1.0, condemned=True)], {"a": True, "b": True, "c": True}, True, Remove("c")),
        ([*pool("ab"), PoolHost("c", 1.0, condemned=True)], {"a": True, "b": True}, True, None),
        ([*pool("ab"), PoolHost("c", 0.0, condemned=True)], {"a": True, "b": True}, True, AddLearner("c")),
        ([*pool("abd"), PoolHost("c", 1.0, condemned=True)], dict.fromkeys("abc", True), True, Remove("c")),
        ([*pool("abd"), PoolHost("c", 1.0, condemned=True)], dict.fromkeys("ab", True), True, AddLearner("d")),
        # two voters, one silent: only HA or the operator may decide
        (pool("ab", b=DEAD), {"a": True, "b": True}, True, None),
        (pool("ab", b=DEAD), {"a": True, "b": True}, False, None),
        # three
        (pool("abc"), {"a": True}, False, AddLearner("b")),
        (pool("abc"), {"a": True, "b": True}, False, AddLearner("c")),
        (pool("abc"), {"a": True, "b": True, "c": True}, False, None),
        (pool("abc", c=DEAD), {"a": True, "b": True, "c": True}, False, None),
        (pool("abc", b=DEAD, c=DEAD), {"a": True, "b": True, "c": True}, False, None),
        (pool("abc", b=AWAY), {"a": True}, False, AddLearner("c")),
        # a dead voter is replaced after ten minutes, when a host is there for it
        (pool("abcd", c=AWAY), {"a": True, "b": True, "c": True}, False, None),
        (pool("abcd", c=DEAD), {"a": True, "b": True, "c": True}, False, Remove("c")),
        (pool("abcd", c=DEAD), {"a": True, "b": True}, False, AddLearner("d")),
        (pool("abcd", c=DEAD, d=AWAY), {"a": True, "b": True, "c": True}, False, None),
        # a learner that does not come up makes room for another
        (pool("abcd", d=AWAY), {"a": True, "b": True, "d": False}, False, Remove("d")),
        (pool("abc", c=AWAY), {"a": True, "b": True, "c": False}, False, None),
        (pool("abc", c=61.0), {"a": True, "b": True, "c": False}, False, Remove("c")),
        # a host that left the pool
        (pool("abc"), {"a": True, "b": True, "z": True}, False, Remove("z")),
        (pool("abc"), {"a": True, "b": True, "c": True, "z": True}, False, Remove("z")),
        (pool("abc"), {"a": True, "b": True, "c": True, "z": False}, False, Remove("z")),
        # eight and back to seven
        (pool("abcdefgh"), {"a": True, "b": True, "c": True}, False, AddLearner("d")),
        (pool("abcdefg"), dict.fromkeys("abcde", True), False, Remove("d")),
        # the master's own host comes first among newcomers
        (pool("bcda"), {"c": True}, False, AddLearner("a")),
        # a pool of one has no cluster
        (pool("a"), {"a": True}, False, None),
    ],
)
def test_the_next_step(hosts: list[PoolHost], members: dict[str, bool], ha: bool, step: Step | None) -> None:
    assert plan_voters(hosts, members, master="a", ha=ha) == step


names = st.sampled_from("abcdefghij")


@settings(max_examples=500, deadline=None)
@given(
    uuids=st.sets(names, min_size=2),
    members=st.dictionaries(names, st.booleans(), min_size=1),
    dead=st.dictionaries(names, st.sampled_from([AWAY, DEAD])),
    ha=st.booleans(),
    data=st.data(),
)
def test_steps_end_and_keep_a_live_majority(
    uuids: set[str], members: dict[str, bool], dead: dict[str, float], ha: bool, data: st.DataObject
) -> None:
    hosts = [PoolHost(uuid, dead.get(uuid, 0.0)) for uuid in sorted(uuids)]
    live = {host.uuid for host in hosts if host.live}
    master = data.draw(st.sampled_from(sorted(uuids)))
    had_majority = has_live_majority(members, live)
    for _ in range(40):
        step = plan_voters(hosts, members, master=master, ha=ha)
        if step is None:
            break
        match step:
            case AddLearner(host):
                assert host in live
                assert host not in members
                assert all(members.values()), "one learner at a time"
                members = {**members, host: False}
            case Promote(host):
                assert host in live
                members = {**members, host: True}
            case Remove(host):
                members = {uuid: votes for uuid, votes in members.items() if uuid != host}
        assert has_live_majority(members, live)
    assert plan_voters(hosts, members, master=master, ha=ha) is None
    if had_majority and live == uuids:
        assert sum(members.values()) == count_voters(len(hosts), ha=ha)
        assert members.keys() <= uuids


def has_live_majority(members: dict[str, bool], live: set[str]) -> bool:
    voters = {uuid for uuid, votes in members.items() if votes}
    return 2 * len(voters & live) > len(voters)
