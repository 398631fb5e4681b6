"""The console that `lab up` runs on the machine: it answers, is left alone while it is current, and ends."""

import ssl
import urllib.request

from cardume.lab import web_console
from cardume.lab.handle import LabHandle


def test_the_labs_own_console_answers_stays_and_ends(room: LabHandle) -> None:
    try:
        web_console.ensure(room.lab)
        url = web_console.find_address(room.lab)
        assert url == web_console.address(room.lab)
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(f"{url}/login", timeout=60.0, context=trusting) as page:
            assert b"Cardume console" in page.read()
            assert "script-src" not in page.headers["content-security-policy"]
        before = web_console._find(room.lab)
        web_console.ensure(room.lab)
        assert web_console._find(room.lab) == before
    finally:
        web_console.stop(room.lab)
    assert web_console.find_address(room.lab) is None
