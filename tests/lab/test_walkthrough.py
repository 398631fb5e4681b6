"""Makes a lab of its own. The course as `cardume lab walkthrough` walks it: from its beginning, and again after that.

The sections themselves are in the usual tests; the walk as a whole takes some ten minutes and is walked by `-m soak`.
"""

import ipaddress
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.conftest import NAME, SUBNET

from cardume.lab import room
from cardume.lab.handle import quiet
from cardume.lab.walkthrough.report import MARKDOWN, PAGE

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3 * 3600)]

WALK = f"{NAME}-w"
PLACE = 6
"""Which of the subnets after that of the usual lab."""
WALK_S = 3600.0


@pytest.fixture
def name() -> Iterator[str]:
    room.down(WALK, quiet)
    try:
        yield WALK
    finally:
        room.down(WALK, quiet)


def walk(*words: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "cardume", "lab", "walkthrough", "--name", WALK, "--profile", "lab", *words)
    env = {key: value for key, value in os.environ.items() if not key.startswith("CARDUME_LAB_")}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=WALK_S, stdin=subprocess.DEVNULL, env=env, check=False
    )


def test_the_course_is_walked_from_its_beginning_and_again_in_portuguese(name: str, tmp_path: Path) -> None:
    usual = ipaddress.IPv4Network(SUBNET)
    start = int(usual.network_address) + PLACE * usual.num_addresses
    fresh = walk("--subnet", str(ipaddress.IPv4Network((start, usual.prefixlen))), "--report", str(tmp_path / "en"))
    assert fresh.returncode == 0, fresh.stdout + fresh.stderr
    assert "Everything was as expected" in (tmp_path / "en" / MARKDOWN).read_text()
    assert (tmp_path / "en" / "pings-6-2.svg").exists()

    again = walk("--keep", "--lang", "pt", "--report", str(tmp_path / "pt"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert '<html lang="pt-BR">' in (tmp_path / "pt" / PAGE).read_text()

    one = walk("--keep", "--section", "4", "--report", str(tmp_path / "four"))
    assert one.returncode == 0, one.stdout + one.stderr
    assert (tmp_path / "four" / "pings-4-3.svg").exists()
