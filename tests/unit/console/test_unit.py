"""The unit that runs the console as a service."""

import subprocess
import sys
from pathlib import Path

import pytest

from cardume.console.unit import unit_text


def test_the_unit_serves_with_the_options_given_and_may_bind_a_low_port_only_when_it_has_to() -> None:
    text = unit_text("10.0.0.5", 8443, ["d1-g1"])
    assert " -m cardume console --listen 10.0.0.5 --port 8443 --server d1-g1\n" in text
    assert "\nCapabilityBoundingSet=\n" in text
    assert "\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n" in unit_text("0.0.0.0", 443, [])


def test_a_certificate_is_handed_to_the_services_own_user() -> None:
    text = unit_text("10.0.0.5", 8443, [], Path("/etc/cert 100%.pem"), Path("/etc/key.pem"))
    assert " --certificate ${CREDENTIALS_DIRECTORY}/certificate.pem --key ${CREDENTIALS_DIRECTORY}/key.pem\n" in text
    assert "\nLoadCredential=certificate.pem:/etc/cert 100%%.pem\nLoadCredential=key.pem:/etc/key.pem\n" in text
    assert "LoadCredential" not in unit_text("10.0.0.5", 8443, [])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--unit", "--state", "/srv/console"], "--unit takes no --state"),
        (["--unit", "--certificate", "/etc/cert.pem"], "give both or neither"),
        (["--key", "/etc/key.pem"], "give both or neither"),
    ],
)
def test_an_option_that_cannot_be_kept_is_refused_and_not_dropped(options: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cardume", "console", *options], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_percent_signs_are_not_systemds() -> None:
    assert "--listen fe80::1%%eth0 " in unit_text("fe80::1%eth0", 8443, [])
