"""Colours that are read: each text against what is behind it, in both themes."""

import re
from pathlib import Path

import pytest

import cardume.console

CSS = (Path(cardume.console.__file__).parent / "static/console.css").read_text()
LEAST = 4.5


def colours(selector: str) -> dict[str, str]:
    """The variables that the rules of a selector set."""
    rules = re.findall(rf"(?:^|}}\s*|\*/\s*){re.escape(selector)} \{{([^}}]*)\}}", CSS, re.M)
    return {name: value for rule in rules for name, value in re.findall(r"--([\w-]+): (#\w{6})", rule)}


LIGHT = colours(":root")
THEMES = {"light": LIGHT, "dark": {**LIGHT, **colours(".body--dark")}}


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((brightness(one), brightness(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def brightness(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("behind", ["surface", "panel", "hover"])
@pytest.mark.parametrize("text", ["text", "muted", "accent", "error", "warn", "ok", "info", "off"])
def test_texts_can_be_read(theme: str, text: str, behind: str) -> None:
    assert contrast(THEMES[theme][text], THEMES[theme][behind]) >= LEAST


@pytest.mark.parametrize("behind", ["q-positive", "q-negative"])
def test_a_notice_and_its_button_can_be_read_in_both_themes(behind: str) -> None:
    notice = colours(".q-notification")
    assert contrast(notice["q-primary"], notice[behind]) >= LEAST


@pytest.mark.parametrize("behind", ["q-primary", "q-negative"])
def test_the_buttons_of_dark_dialogs_can_be_read(behind: str) -> None:
    layer = re.search(r"@layer theme \{ \.body--dark \.dialog \.q-btn--unelevated \{ color: (#\w{6}) !important", CSS)
    assert layer is not None, "an important rule outside the first layer is without effect"
    shown = re.search(rf"\.body--dark \{{[^}}]*--{behind}: (#\w{{6}})", CSS)
    assert shown is not None
    assert contrast(layer[1], shown[1]) >= LEAST
