"""The walk's texts: none missing in a language, none left over, the same values in both."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import cardume.lab.walkthrough
from cardume.console.text.en import ENGLISH as CONSOLE_ENGLISH
from cardume.console.text.pt import PORTUGUESE as CONSOLE_PORTUGUESE
from cardume.lab.walkthrough.findings import told
from cardume.lab.walkthrough.sections import SECTIONS
from cardume.lab.walkthrough.texts import Language, Words
from cardume.lab.walkthrough.texts.en import ENGLISH
from cardume.lab.walkthrough.texts.pt import PORTUGUESE

FOLDER = Path(cardume.lab.walkthrough.__file__).parent
CODE = [*(path for path in FOLDER.rglob("*.py") if path.name not in ("en.py", "pt.py")), FOLDER.parent / "commands.py"]
_KEY = re.compile(r"[a-z]+\.[a-z_0-9A-Z.]+")
_NAMES = ("told", "expect", "words", "_words", "say", "mark", "Mark", "Told")


def constants(node: ast.expr) -> list[str]:
    if isinstance(node, ast.IfExp):
        return [*constants(node.body), *constants(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def asked() -> set[str]:
    """The keys that the code gives to the catalogue, and those that look like one."""
    found = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in _NAMES:
                    found |= set(constants(node.args[0]))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in ENGLISH:
                found.add(node.value)
    return found


def put_together() -> set[str]:
    """The keys that are made up at run time."""
    steps = {f"{step.key}.{part}" for section in SECTIONS for step in section.steps for part in ("title", "why")}
    sections = {f"section.{section.number}.{part}" for section in SECTIONS for part in ("title", "why")}
    families = {key for key in ENGLISH if key.startswith(("alert.", "body.", "alerts.", "report.", "expect.alert."))}
    return steps | sections | families


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts() -> None:
    assert set(ENGLISH) == set(PORTUGUESE)


@pytest.mark.parametrize("key", ENGLISH)
def test_a_translation_says_the_same_values(key: str) -> None:
    assert placeholders(ENGLISH[key]) == placeholders(PORTUGUESE[key])


def test_every_text_that_the_code_asks_for_is_there_and_none_is_left_over() -> None:
    keys = {key for key in asked() if _KEY.fullmatch(key)}

    assert not (keys | put_together()) - set(ENGLISH)
    assert not set(ENGLISH) - asked() - put_together()


def test_numbers_are_written_as_the_language_writes_them() -> None:
    assert Words(Language.EN)("took", took_s=1.234) == "took 1.23 s"
    assert Words(Language.PT)("took", took_s=12.34) == "levou 12,3 s"


def test_a_sentence_can_be_a_part_of_another() -> None:
    why = told("failure.wait", what=told("wait.restart", vm="vm"), timeout_s=5, reason="")

    assert Words(Language.EN).say(why) == "within 5 s this did not come about: vm on another host"
    assert Words(Language.PT).say(why) == "em 5 s isto não aconteceu: vm em outro servidor"


@pytest.mark.parametrize(("walk", "console"), [(ENGLISH, CONSOLE_ENGLISH), (PORTUGUESE, CONSOLE_PORTUGUESE)])
def test_an_alert_is_called_what_the_console_calls_it(walk: dict[str, str], console: dict[str, str]) -> None:
    titles = {key: text.removeprefix("{about}: ") for key, text in walk.items() if key.startswith("alert.")}
    assert titles == {key: console[key] for key in titles}
