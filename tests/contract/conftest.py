"""Contract cases that need a host's programs: where they cannot run they are left out, and the run says how many.

`@pytest.mark.inside_host("VARIABLE")` names the variable of the environment that says that they can. The lab sets all
of them inside one of its hosts, in `tests/lab/test_contracts_in_host.py`, and lets nothing be left out there.
"""

import ctypes
import os
from collections.abc import Iterator

import pytest

LEFT_OUT = pytest.StashKey[int]()
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


@pytest.fixture
def own_network() -> Iterator[None]:
    """This process, and what it starts, in an empty network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_NEW_NETWORK) != 0:
            pytest.skip(f"no network namespace of our own: {os.strerror(ctypes.get_errno())}")
        yield
        assert libc.setns(before, _NEW_NETWORK) == 0
    finally:
        os.close(before)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    outside = [item for item in items if any(not os.environ.get(needed) for needed in variables(item))]
    config.stash[LEFT_OUT] = len(outside)
    if outside:
        config.hook.pytest_deselected(items=outside)
        items[:] = [item for item in items if item not in set(outside)]


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    count = config.stash.get(LEFT_OUT, 0)
    return f"{count} contract cases run inside a lab host: tests/lab/test_contracts_in_host.py" if count else ""


def variables(item: pytest.Item) -> list[str]:
    """The variables that a case waits for."""
    return [str(marker.args[0]) for marker in item.iter_markers("inside_host")]
