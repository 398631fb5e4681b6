"""An SR's numbers from those of the hosts."""

import math

from cardume.core.rrd import Source, SourceNow
from cardume.core.sr_sources import sources_of_sr

SR = "12345678-0000-4000-8000-000000000000"
NAN = math.nan


def on_host(**values: float) -> list[SourceNow]:
    return [
        SourceNow(Source(f"{name}_12345678", f"{name} of this host's guests, SR {SR}", "x"), name == "iops_read", value)
        for name, value in values.items()
    ]


def values(*hosts: list[SourceNow]) -> dict[str, float]:
    return {each.source.name: each.value for each in sources_of_sr(hosts, SR)}


def test_what_hosts_do_is_added() -> None:
    assert values(on_host(iops_read=3, write=10), on_host(iops_read=4)) == {"iops_read": 7, "write": 10}


def test_what_one_host_does_not_know_is_not_added_and_what_none_knows_is_unknown() -> None:
    assert values(on_host(iops_read=3), on_host(iops_read=NAN)) == {"iops_read": 3}
    assert math.isnan(values(on_host(iops_read=NAN))["iops_read"])


def test_a_latency_is_that_of_the_mean_request() -> None:
    found = values(on_host(read_latency=100, iops_read=30), on_host(read_latency=500, iops_read=10))
    assert found["read_latency"] == 200


def test_a_latency_without_a_request_just_now_is_what_it_was_lately() -> None:
    assert values(on_host(latency=100, iops_total=0), on_host(latency=300, iops_total=NAN))["latency"] == 200


def test_other_srs_and_other_sources_of_hosts_are_left_out() -> None:
    other = SourceNow(Source("iops_read_87654321", "", ""), True, 5)
    (found,) = sources_of_sr([[other, *on_host(iops_read=1)]], SR)
    assert (found.source.name, found.source.description, found.enabled) == (
        "iops_read",
        "iops_read by all guests",
        True,
    )


def test_an_sr_that_no_guest_uses_has_no_sources() -> None:
    assert sources_of_sr([[], []], SR) == ()
