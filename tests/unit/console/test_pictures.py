"""The pictures in docs: every one is taken by a test, and there is none that no page shows."""

import re
from pathlib import Path

from tests.console import pictures

SHOT = re.compile(r"desk\.shoot\(\"([a-z0-9-]+)\"\)")


def test_every_picture_that_a_page_shows_is_taken_by_the_walks_and_there() -> None:
    rule = (pictures.DOCS.parent / "Makefile").read_text().split("\nscreenshots:")[1].split("\n\n")[0]
    walks = re.findall(r"tests/console/(test_\w+\.py)", rule)
    assert "test_handout.py" in walks
    taken = {
        f"{name}.png" for walk in walks for name in SHOT.findall((Path(pictures.__file__).parent / walk).read_text())
    }
    assert pictures.shown() - taken == set()
    assert pictures.shown() == {path.name for path in pictures.PICTURES.glob("*.png")}
