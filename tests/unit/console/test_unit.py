"""The unit that runs the console as a service."""

from cardume.console.unit import unit_text


def test_the_unit_serves_with_the_options_given_and_may_bind_a_low_port_only_when_it_has_to() -> None:
    text = unit_text("10.0.0.5", 8443, ["d1-g1"])
    assert " -m cardume console --listen 10.0.0.5 --port 8443 --server d1-g1\n" in text
    assert "\nCapabilityBoundingSet=\n" in text
    assert "\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n" in unit_text("0.0.0.0", 443, [])


def test_percent_signs_are_not_systemds() -> None:
    assert "--listen fe80::1%%eth0 " in unit_text("fe80::1%eth0", 8443, [])
