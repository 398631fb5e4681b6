"""The pages of a wizard: nothing is done twice, and no page is passed that was not looked at."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from nicegui import ui
from nicegui.client import Client
from nicegui.page import page

from cardume.console.text.catalogue import Texts
from cardume.console.views.wizard import Page, Wizard

T = Texts("en")


@contextmanager
def browser() -> Iterator[None]:
    """A page to draw on."""
    client = Client(page("/"), request=None)
    with client:
        yield
    client.delete()


class Presses:
    """What happened to a wizard whose second page looks at something before it is left."""

    def __init__(self, *, title: str = "New") -> None:
        self.done: list[str] = []
        self.looked = asyncio.Event()
        pages = (
            Page("one", lambda: None),
            Page("two", lambda: None, leave=self._look),
            Page("three", lambda: None, lambda: "Type the serial number."),
        )
        self.wizard = Wizard(T, title, pages, "Finish", lambda: self.done.append("finished"))
        self.wizard.open()

    async def _look(self) -> bool:
        self.done.append("looked")
        await self.looked.wait()
        return True


async def test_pressing_next_twice_does_not_pass_the_page_that_asks_whether_one_is_sure() -> None:
    with browser():
        pressed = Presses()
        await pressed.wizard.forward()
        both = asyncio.gather(pressed.wizard.forward(), pressed.wizard.forward())
        await asyncio.sleep(0)
        pressed.looked.set()
        await both
        assert pressed.done == ["looked"]
        await pressed.wizard.forward()
        assert pressed.done == ["looked"]  # the last page wants its answer first


async def test_what_a_wizard_stands_for_is_done_once() -> None:
    with browser():
        done: list[int] = []
        wizard = Wizard(T, "New", (Page("one", lambda: None),), "Finish", lambda: done.append(1))
        wizard.open()
        await wizard.forward()
        await wizard.forward()
        assert done == [1]


async def test_going_back_while_a_page_is_left_is_not_undone_by_its_end() -> None:
    with browser():
        pressed = Presses()
        await pressed.wizard.forward()
        leaving = asyncio.create_task(pressed.wizard.forward())
        await asyncio.sleep(0)
        pressed.wizard.back()
        pressed.looked.set()
        await leaving
        assert pressed.wizard.at == 2


@pytest.mark.parametrize("name", ["onclick=location=name \\", 'a " b', "a & b"])
async def test_a_name_in_the_title_is_a_text_and_nothing_else(name: str) -> None:
    with browser():
        wizard = Presses(title=f"Move VM {name}").wizard
        shown: list[dict[str, Any]] = [
            dict(one.props) for one in wizard.dialog.descendants() if isinstance(one, ui.html)
        ]
        assert all("onclick" not in one for one in shown)
        assert [one["aria-label"] for one in shown if "aria-label" in one] == [f"Move VM {name}"]
