"""The lab of the tests: named `test`, on a subnet of its own, removed when the session ends, whatever ended it."""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from cardume.lab import room
from cardume.lab.handle import LabHandle, quiet

NAME = "test"
SUBNET = "10.148.0.0/23"


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt  # as Ctrl-C: the fixtures then remove what they made


@pytest.fixture(scope="session")
def lab() -> Iterator[LabHandle]:
    """Two hosts and the storage server, booted, with nothing set up on them."""
    if os.geteuid() != 0 or shutil.which("systemd-nspawn") is None or shutil.which("mmdebstrap") is None:
        pytest.skip("the lab needs root, systemd-container and mmdebstrap")
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        room.down(NAME, quiet)  # of a session that could not tidy up
        plan = room.plan_up(NAME, SUBNET, 2)
        room.up(plan, quiet)
        yield LabHandle(plan)
    finally:
        room.down(NAME, quiet)
        signal.signal(signal.SIGTERM, before)
