"""The catalogues: nothing missing, nothing left over, numbers as each language writes them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import cardume.console
from cardume.console.text.catalogue import CATALOGUES, Texts, choose_language, epoch_of
from cardume.console.views.acts import _ASKED

FOLDER = Path(cardume.console.__file__).parent
THEMES = [path for path in FOLDER.rglob("text/*/*.py") if path.stem != "__init__"]
TREES = [ast.parse(path.read_text()) for path in FOLDER.rglob("*.py") if path not in THEMES]
ENGLISH, PORTUGUESE = CATALOGUES["en"], CATALOGUES["pt-BR"]


def asked() -> Iterator[ast.expr]:
    """What the code gives to the catalogue: the first argument of `t(…)`, `self._t(…)`, `screen.t(…)`."""
    for tree in TREES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                named = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if named in ("t", "_t") or (isinstance(node.func, ast.Name) and node.func.id == "self"):
                    yield from _choices(node.args[0])


def _choices(argument: ast.expr) -> Iterator[ast.expr]:
    """Both outcomes of `a if x else b`."""
    if isinstance(argument, ast.IfExp):
        yield from (*_choices(argument.body), *_choices(argument.orelse))
    else:
        yield argument


def made_up() -> set[str]:
    """What keys that are put together at run time begin with: `t(f"tab.{key}")`."""
    nodes = (node for tree in TREES for node in ast.walk(tree))
    starts = (node.values[0] for node in nodes if isinstance(node, ast.JoinedStr) and node.values)
    texts = {start.value for start in starts if isinstance(start, ast.Constant) and isinstance(start.value, str)}
    return {text for text in texts if _FAMILY.fullmatch(text)}


_FAMILY = re.compile(r"[a-z_]+\.[a-z_.]*")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts() -> None:
    assert set(ENGLISH) == set(PORTUGUESE)


def test_both_languages_have_a_text_once_and_in_the_same_file() -> None:
    where: dict[str, list[tuple[str, str]]] = {}
    for path in THEMES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                for key in node.keys:
                    assert isinstance(key, ast.Constant)
                    where.setdefault(str(key.value), []).append((path.stem, path.parent.name))
    assert set(where) == set(ENGLISH)
    assert {
        key for key, places in where.items() if sorted(places) != [(places[0][0], "en"), (places[0][0], "pt")]
    } == set()


@pytest.mark.parametrize("key", ENGLISH)
def test_a_translation_says_the_same_values(key: str) -> None:
    assert placeholders(ENGLISH[key]) == placeholders(PORTUGUESE[key])
    assert ENGLISH[key]
    assert PORTUGUESE[key]


def test_every_text_that_the_code_asks_for_is_there() -> None:
    said = {one.value for one in asked() if isinstance(one, ast.Constant)}
    assert {"ui.cancel", "yes", "empty.events"} <= said
    assert said - set(ENGLISH) == set()
    starts = [one.values[0] for one in asked() if isinstance(one, ast.JoinedStr)]
    made = {start.value for start in starts if isinstance(start, ast.Constant)}
    assert [prefix for prefix in made if not any(key.startswith(str(prefix)) for key in ENGLISH)] == []


def test_every_act_that_a_person_is_asked_about_says_what_it_does() -> None:
    literals = {node.value for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    said = {one for one in literals if isinstance(one, str) and re.fullmatch(r"(do|confirm|ui|graph)\.\w+", one)}
    assert said - set(ENGLISH) == set()
    assert set(_ASKED) <= {key.removeprefix("confirm.") for key in ENGLISH}


def test_no_text_is_left_over() -> None:
    nodes = (node for tree in TREES for node in ast.walk(tree))
    literals = {node.value for node in nodes if isinstance(node, ast.Constant)}
    known_by_code = ("error.", "alert.", "message.", "config.", "srtype.", "doing.")  # what servers may say
    prefixes = (*made_up(), *known_by_code)
    assert [key for key in ENGLISH if key not in literals and not key.startswith(prefixes)] == []


@pytest.mark.parametrize(
    ("language", "size_bytes", "text"),
    [
        ("en", 0, "0 B"),
        ("en", 1536, "1.5 KiB"),
        ("pt-BR", 1536, "1,5 KiB"),
        ("en", 80 << 30, "80 GiB"),
        ("pt-BR", 2048 << 40, "2 PiB"),
    ],
)
def test_sizes_are_written_as_the_language_does(language: str, size_bytes: int, text: str) -> None:
    assert Texts(language).size(size_bytes) == text


def test_a_duration_has_two_units_at_most() -> None:
    assert Texts("en").duration(93784) == "1 day 2 h"
    assert Texts("pt-BR").duration(2 * 86400) == "2 dias"
    assert Texts("en").duration(0.4) == "0 s"


@pytest.mark.parametrize(
    ("asked", "accepted", "chosen"),
    [
        (None, "", "en"),
        (None, "pt-BR,pt;q=0.9,en;q=0.8", "pt-BR"),
        (None, "de,en;q=0.8", "en"),
        ("en", "pt-BR", "en"),
        ("xx", "pt", "pt-BR"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_browsers(asked: str | None, accepted: str, chosen: str) -> None:
    assert choose_language(asked, accepted) == chosen
    assert chosen in CATALOGUES


def test_a_moment_is_read_in_both_of_the_ways_that_servers_write_it() -> None:
    assert epoch_of("20261128T13:26:26Z") == epoch_of("2026-11-28T13:26:26Z") == 1795872386.0
    assert epoch_of("nonsense") == 0.0
