"""The documents name only what is there: links, files, make targets, commands."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cardume.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("changes.d/*.md"), *ROOT.glob("docs/**/*.md")],
)
_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
_CARDUME = re.compile(r"(?:^|[\s/])cardume ((?:host|lab)\b[^#\n]*)")
_XE = re.compile(r"(?:^|[\s/])xe (?:-\w+ \S+ )*(help )?([a-z]+(?:-[a-z0-9]+)+)")
_FILE = re.compile(r"\b([a-z_.]+(?:/[a-zA-Z_.]+)+\.(?:py|txt|md|toml))\b")


def prose(page: Path) -> str:
    """A page without its code."""
    return _INLINE.sub("", _FENCE.sub("", page.read_text()))


def code(page: Path) -> Iterator[str]:
    """Every line of code on a page, between backticks or in a block."""
    text = page.read_text()
    for block in _FENCE.findall(text):
        yield from block.splitlines()
    yield from _INLINE.findall(_FENCE.sub("", text))


def anchors(page: Path) -> set[str]:
    """What a link to a part of the page may say, as the usual renderers make it of headings."""
    headings = (heading.replace("`", "").lower() for heading in _HEADING.findall(_FENCE.sub("", page.read_text())))
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in headings}


def named(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """Where the pages' code says something, and what."""
    return [
        (str(page.relative_to(ROOT)), match[match.lastindex or 0])
        for page in PAGES
        for line in code(page)
        for match in pattern.finditer(line)
    ]


def why_no_command(words: list[str]) -> str | None:
    """What is wrong with the words after `cardume`; None when the program would take them."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        if not words or words[0] in ("…", "--help"):
            return None
        if words[0] not in command.commands:
            return f"{command.name} has no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    options = {option for param in command.params for option in param.opts} | {"--help"}
    typed = words[: words.index("--")] if "--" in words else words
    unknown = [word for word in typed if word.startswith("--") and word not in options]
    return f"{command.name} has no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    links = [link for link in _LINK.findall(prose(page)) if not link.startswith(("http://", "https://"))]
    broken = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_pages_are_found_and_name_what_these_tests_look_for() -> None:
    assert {"README.md", "docs/quickstart.md", "docs/lab.md"} <= {str(page.relative_to(ROOT)) for page in PAGES}
    assert ("README.md", "lab") in named(_MAKE)
    assert ("docs/lab.md", "lab power-off d1-g1") in named(_CARDUME)
    assert ("docs/quickstart.md", "vm-suspend") in named(_XE)
    assert ("docs/architecture.md", "messages/vm_power.py") in named(_FILE)


def test_every_make_target_named_is_in_the_makefile() -> None:
    rules = re.findall(r"^([a-z][a-z -]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    assert [(page, target) for page, target in named(_MAKE) if target not in targets] == []


def test_every_cardume_command_named_exists_with_its_options() -> None:
    said = [(page, text, why_no_command(text.split())) for page, text in named(_CARDUME)]
    assert [(page, text, why) for page, text, why in said if why is not None] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lab up --hosts 3", None),
        ("lab exec d1-g1 -- ls --color", None),
        ("lab fly", "lab has no command fly"),
        ("lab up --wings 2", "up has no option --wings"),
    ],
)
def test_a_command_that_is_not_there_is_noticed(text: str, why: str | None) -> None:
    assert why_no_command(text.split()) == why


def test_every_xe_command_named_exists() -> None:
    commands = importlib.import_module("cardume.cli.commands").all_commands()
    assert [(page, command) for page, command in named(_XE) if command not in commands] == []


def test_every_source_file_named_exists() -> None:
    places = (ROOT, ROOT / "src/cardume")
    said = [(page, path) for page, path in named(_FILE) if not path.startswith(("etc/", "var/"))]
    assert [(page, path) for page, path in said if not any((place / path).exists() for place in places)] == []
