"""Administrators are told once of what lasts, and not at all of what passes."""

from datetime import UTC, datetime, timedelta

import pytest

from cardume.core.host_alerts import HostWatch, body, certificate_alert
from cardume.datamodel import api_messages

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def test_a_host_that_is_gone_for_long_is_told_of_once_and_when_it_is_back() -> None:
    watch = HostWatch()
    assert watch.look({"a": True, "b": True}, 0.0) == []
    assert watch.look({"a": True, "b": False}, 10.0) == []
    assert watch.look({"a": True, "b": False}, 24.9) == []
    assert watch.look({"a": True, "b": False}, 25.0) == [(api_messages.HOST_OFFLINE, "b")]
    assert watch.look({"a": True, "b": False}, 99.0) == []
    assert watch.look({"a": True, "b": True}, 100.0) == [(api_messages.HOST_ONLINE, "b")]
    assert watch.look({"a": True, "b": True}, 101.0) == []


def test_a_host_that_is_back_at_once_is_not_told_of() -> None:
    watch = HostWatch()
    watch.look({"a": False}, 0.0)
    watch.look({"a": True}, 14.0)
    assert watch.look({"a": False}, 16.0) == []
    assert watch.look({"a": False}, 30.0) == []


def test_a_host_that_left_the_pool_is_forgotten() -> None:
    watch = HostWatch()
    watch.look({"a": False}, 0.0)
    watch.look({"a": False}, 20.0)
    assert watch.look({}, 21.0) == []
    assert watch.look({"a": True}, 22.0) == []


@pytest.mark.parametrize(
    ("left", "name"),
    [
        (timedelta(days=31), None),
        (timedelta(days=30), "HOST_SERVER_CERTIFICATE_EXPIRING_30"),
        (timedelta(days=14), "HOST_SERVER_CERTIFICATE_EXPIRING_14"),
        (timedelta(days=7), "HOST_SERVER_CERTIFICATE_EXPIRING_07"),
        (timedelta(), "HOST_SERVER_CERTIFICATE_EXPIRED"),
        (timedelta(days=-9), "HOST_SERVER_CERTIFICATE_EXPIRED"),
    ],
)
def test_a_certificate_that_ends_is_told_of_more_urgently_as_time_passes(left: timedelta, name: str | None) -> None:
    alert = certificate_alert(NOW + left, NOW)
    assert (alert.name if alert else None) == name


def test_a_body_is_xml() -> None:
    assert body(name="A & B <1>", more="") == "<body><name>A &amp; B &lt;1&gt;</name><more></more></body>"
