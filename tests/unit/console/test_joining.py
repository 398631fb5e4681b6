"""New Pool: who can join, who cannot and why, and the way out."""

from tests.unit.console.rooms import Room

from cardume.console.presenters.joining import Candidate, calls, candidates, masters
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts

T = Texts("en")


def alone(name: str, uuid: str, version: str = "Cardume 0.1.0") -> Room:
    made = Room(uuid=uuid, master=name)
    made.host(name, version=version)
    return made


def reasons(*others: Source) -> list[Candidate]:
    master = alone("a", "p1").source()
    return candidates([master, *others], master, T)


def test_a_plain_server_can_join() -> None:
    assert reasons(alone("b", "p2").source()) == [Candidate("p2", "b")]


def test_what_is_in_the_way_is_said_in_the_order_in_which_it_has_to_go() -> None:
    room = alone("b", "p2")
    room.sr("isos", "b", shared=True, content="iso")
    room.vm("web", on="b")
    assert reasons(room.source()) == [Candidate("p2", "b", "VMs run on it: web", "running")]
    room.put("vm", "web", power_state="Halted")
    assert reasons(room.source()) == [Candidate("p2", "b", "has shared storage: isos", "shared")]


def test_other_versions_processors_and_members_cannot_join() -> None:
    older = alone("b", "p2", "Cardume 0.0.9")
    other = alone("c", "p3")
    other.put("pool", "p3", cpu_info={"vendor": "GenuineIntel"})
    pooled = Room("pool-x", uuid="p4", master="d")
    pooled.host("d")
    away = alone("e", "p5").source(connected=False)
    assert [one.why_not for one in reasons(older.source(), other.source(), pooled.source(), away)] == [
        "runs another version: Cardume 0.0.9",
        "has processors of another maker: GenuineIntel",
        "is in pool pool-x already",
        "not connected",
    ]


def test_only_standalone_connected_servers_can_lead() -> None:
    pooled = Room("pool-x", uuid="p4")
    pooled.host("a")
    first = alone("b", "p2").source()
    assert masters([pooled.source(), first, alone("c", "p3").source(connected=False)]) == [first]


def test_the_same_by_xe_quotes_names_and_leaves_the_password_out() -> None:
    master, member = alone("a", "p1").source(), alone("b", "p2").source()
    assert calls(master, "my pool", "", [member], "root") == [
        "xe -s 10.0.0.1 pool-param-set uuid=p1 name-label='my pool'",
        "xe -s 10.0.0.1 pool-join master-address=10.0.0.1 master-username=root master-password=…",
    ]
