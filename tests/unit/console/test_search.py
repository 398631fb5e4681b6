"""The search over everything: what is found by what, and in which order."""

from typing import Any

import pytest
from tests.unit.console.rooms import Room

from cardume.console.presenters.search import hits_as_json, search
from cardume.console.text.catalogue import Texts

T = Texts("en")


def room() -> Room:
    made = Room("pool-g1")
    made.host("a")
    made.sr("lun", "a", shared=True)
    made.put("pif", "eth0", IP="10.0.0.1", MAC="52:54:00:00:00:01")
    made.put("host", "a", PIFs=["pif:eth0"])
    made.put("network", "lan", name_label="the lan", name_description="", bridge="br0", tags=[])
    made.put("vif", "web-0", MAC="52:54:00:aa:bb:cc")
    made.put("vm_guest_metrics", "g", networks={"0/ip": "10.0.0.77"})
    made.vm("web", on="a", sr="lun", tags=["course"], VIFs=["vif:web-0"], guest_metrics="vm_guest_metrics:g")
    made.vm("webmail", sr="lun", name_description="the mail of web")
    made.vm("old web", is_a_template=True)
    return made


def names(asked: str, *rooms: Room) -> list[str]:
    return [found.name for found in search([one.source() for one in rooms or (room(),)], asked, T).found]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("web", ["web", "web disk", "webmail", "webmail disk"]),  # the very name first, no template
        ("WEB mail", ["webmail", "webmail disk"]),
        ("course", ["web"]),
        ("aa:bb:cc", ["web"]),
        ("10.0.0.77", ["web"]),
        ("br0", ["the lan"]),
        ("00:00:01", ["a"]),
        ("pool-g1", ["pool-g1"]),
        ("p1", ["pool-g1"]),
        ("no such thing", []),
        ("  ", []),
    ],
)
def test_an_object_is_found_by_what_is_known_of_it(asked: str, found: list[str]) -> None:
    assert names(asked)[: len(found) or 1] == found


def test_every_pool_is_searched_and_each_hit_says_where_it_is() -> None:
    other = Room(uuid="p2")
    other.host("c")
    other.sr("local", "c")
    other.vm("web", sr="local")
    found = search([room().source(), other.source()], "web", T).found
    assert [(one.path, one.kind, one.where) for one in found[:2]] == [
        ("/pool/p1/vm/web", "Virtual machine", "a"),
        ("/pool/p2/vm/web", "Virtual machine", "c"),
    ]


def test_a_disk_leads_to_the_repository_that_holds_it() -> None:
    (found,) = search([room().source()], "webmail disk", T).found
    assert (found.path, found.where) == ("/pool/p1/sr/lun/disks", "lun")


def test_of_many_the_first_are_told_and_their_number() -> None:
    made = room()
    for number in range(60):
        made.vm(f"many-{number:02}")
    told: dict[str, Any] = hits_as_json(search([made.source()], "many", T), T)
    assert told["told"] == "60 were found; these are the first 50. Type more of it."
    assert len(told["found"]) == 50
    assert hits_as_json(search([made.source()], "many-07", T), T)["told"] == "One was found."


def test_a_pool_that_has_told_nothing_yet_is_passed_over() -> None:
    made = Room()
    made.cache.clear()
    assert names("a", made) == []
