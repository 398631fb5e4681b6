"""Every page and tab of the console under axe-core, in light and dark, wide and narrow.

Needs a lab, in whatever state. Proves that nothing serious is wrong with any page for people who use it by ear, by key
or with weak eyes. What the other stories open besides, their dialogs above all, is audited where they open it.
"""

import re

from playwright.sync_api import expect
from tests.console.audit import SERIOUS
from tests.console.desk import Desk

from cardume.console.presenters.places import TABS
from cardume.lab.handle import LabHandle

OBJECTS = {"host": "d1-g1", "vm": "vm-d1-g1", "sr": "Local storage"}


def test_every_page_can_be_used_by_everybody(desk: Desk, room: LabHandle) -> None:
    page = desk.page
    desk.log_in(room.address("d1-g1"))
    places = {kind: page_of(desk, kind, name) for kind, name in OBJECTS.items()}
    if desk.row("pool-g1").count():
        places["pool"] = page_of(desk, "pool", "pool-g1")
    for path in ("/", "/alerts", *(f"{place}/{tab}" for kind, place in places.items() for tab in TABS[kind])):
        desk.go(path)
        look_both_ways(desk, path.rsplit("/", 1)[-1])
    page.locator(".strip").click()
    look_both_ways(desk, "events")


def look_both_ways(desk: Desk, name: str) -> None:
    """Audit what is shown in light and wide, then in dark and narrow."""
    for colours, width in (("light", 1280), ("dark", 390)):
        desk.page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
        desk.page.set_viewport_size({"width": width, "height": 800})
        expect(desk.page.locator("body.body--dark")).to_have_count(1 if colours == "dark" else 0)
        desk.look(f"{name} {colours} {width}")


def page_of(desk: Desk, kind: str, name: str) -> str:
    """The address of an object's page, without its tab."""
    desk.open(name)
    expect(desk.page).to_have_url(re.compile(rf"/{kind}/[0-9a-f-]{{36}}$"))
    return desk.page.url.removeprefix(desk.console)


def test_the_audit_finds_what_is_wrong(desk: Desk, room: LabHandle) -> None:
    desk.log_in(room.address("d1-g1"))
    desk.page.evaluate("document.querySelector('.brand').insertAdjacentHTML('afterend', '<input id=wrong>')")
    desk.look("wrong")
    found = [one for one in desk.mistakes if 'id="wrong"' in one]
    desk.mistakes = [one for one in desk.mistakes if one not in found]
    assert [one for one in found if "label (" in one], (SERIOUS, found)
