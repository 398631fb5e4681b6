"""What the console writes about itself."""

import pytest
import structlog

from cardume.console import command


def test_a_failure_is_told_with_its_place_and_without_the_values_there(
    capsys: pytest.CaptureFixture[str],
) -> None:

    def work() -> None:
        password = "".join(("hun", "ter2"))
        try:
            raise KeyError(len(password))
        except KeyError:
            structlog.get_logger().exception("job_failed", title="Make pool")

    try:
        command.configure_logging()
        work()
    finally:
        structlog.reset_defaults()
    told = capsys.readouterr().err
    assert 'event=job_failed title="Make pool"' in told
    assert "in work" in told
    assert "hunter2" not in told
