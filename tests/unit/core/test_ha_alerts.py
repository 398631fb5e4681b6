"""What is told of high availability, and when it is told again."""

import pytest

from cardume.core.ha_alerts import Happened, HaWatch, restart_failed, restarted


def told(watch: HaWatch, what: Happened) -> list[tuple[str, int, str]]:
    return [(news.alert.name, news.alert.priority, news.body) for news in watch.look(what, "d1-g1")]


def test_a_failed_host_is_told_of_with_the_reason() -> None:
    what = Happened("life ended", "uuid", 7, "it was silent longer than its lease", "both", 8.43)
    assert told(HaWatch(), what) == [
        (
            "HA_HOST_FAILED",
            3,
            "Server 'd1-g1' has failed: nothing came by network and statefile for 8.4 s;"
            " decided because it was silent longer than its lease; epoch 7.",
        )
    ]


def test_a_host_that_had_fenced_itself_tells_what_its_black_box_says() -> None:
    assert told(HaWatch(), Happened("fenced", "uuid", rule="it had no evidence left")) == [
        (
            "HA_HOST_WAS_FENCED",
            4,
            "Server 'd1-g1' had restarted itself to protect the disks of its VMs:"
            " decided because it had no evidence left.",
        )
    ]


@pytest.mark.parametrize(
    ("begins", "ends", "names"),
    [
        ("statefile lost", "statefile back", ["HA_STATEFILE_LOST", "HA_STATEFILE_BACK"]),
        ("peer network lost", "peer back", ["HA_NETWORK_PARTED", "HA_NETWORK_WHOLE"]),
        ("peer statefile lost", "peer back", ["HA_STATEFILE_LOST", "HA_STATEFILE_BACK"]),
        ("network slow", "peer back", ["HA_HEARTBEAT_APPROACHING_TIMEOUT", "HA_NETWORK_WHOLE"]),
        ("statefile slow", "statefile back", ["HA_STATEFILE_APPROACHING_TIMEOUT", "HA_STATEFILE_BACK"]),
    ],
)
def test_what_begins_is_told_of_once_and_so_is_its_end(begins: str, ends: str, names: list[str]) -> None:
    watch = HaWatch()
    seen = []
    for kind in (ends, begins, begins, ends, ends):
        seen += [name for name, _, _ in told(watch, Happened(kind, "uuid", lasted_s=3.0))]
    assert seen == names


def test_a_host_that_failed_does_not_recover_from_what_it_had_before() -> None:
    watch = HaWatch()
    told(watch, Happened("statefile lost", "uuid"))
    told(watch, Happened("life ended", "uuid"))
    assert told(watch, Happened("statefile back", "uuid")) == []


def test_a_host_that_has_left_in_good_order_has_not_failed() -> None:
    assert told(HaWatch(), Happened("life ended", "uuid", rule="it has left", is_planned=True)) == []


def test_the_ends_of_restarts() -> None:
    assert restart_failed("web", "No host has enough memory.", 2) == (
        "The protected VM 'web' could not be restarted, tried 2 times: No host has enough memory. It is tried again."
    )
    told = "The protected VM 'web' runs again, on server 'd2-g1', after 2 tries in vain."
    assert restarted("web", "d2-g1", 2) == told
    assert restarted("web", "d2-g1", 0) == "The protected VM 'web' runs again, on server 'd2-g1'."
