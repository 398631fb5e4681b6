"""What all tests share: expected files, and the flag that writes them anew."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

GOLDEN = Path(__file__).parent / "golden"

# How long a machine takes to make up an example, or to try it, says nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true", help="write the files in tests/golden/ anew; read them before committing"
    )


@pytest.fixture(scope="session", autouse=True)
def tidy_when_ended() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: what tests made is removed by whoever made it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def assert_golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a file of tests/golden/, or write that file under `--regenerate`."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--regenerate"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"no expected file {name}; write it with --regenerate and read it"
        assert text == path.read_text(), f"{name} differs; if the new text is right, run with --regenerate"

    return compare
