"""Foreign VNC clients, unmodified, show a guest's screen and type into it through `/console`.

Needs the usual lab: a running VM. vncdotool comes by CONNECT, noVNC in Debian's Chromium by WebSocket. Both leave
a picture where the test's other files are.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from tests.lab.clients.packages import foreign_packages
from tests.lab.guest_page import BOOT_S
from tests.lab.test_consoles import HOST, Shell, path_of, read_until_typed, session_id, shell, vm
from tests.lab.vnc_bridge import port_to_console

from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

__all__ = ["session_id", "shell", "vm"]

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 120_000.0
STRANGER = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
"""A page that the test gives to the browser is of no known network to it: it would not let it into a private one."""

PNG = b"\x89PNG\r\n"

PAGE = """<!doctype html><title>noVNC</title><body style="margin:0;background:#334"><div id="screen"></div>
<script type="module">
  import RFB from '/novnc/core/rfb.js'
  window.told = []
  window.rfb = new RFB(document.getElementById('screen'), SOCKET)
  for (const what of ['connect', 'disconnect', 'securityfailure']) {
    rfb.addEventListener(what, () => told.push(what))
  }
</script>"""
COLOURS = """(() => {
  const canvas = document.querySelector('canvas')
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
  return [canvas.width, canvas.height, new Set(new Uint32Array(pixels.buffer)).size]
})()"""


def test_vncdotool_takes_a_picture_and_types(
    api: Any, lab: LabHandle, vm: str, session_id: str, shell: Shell, tmp_path: Path
) -> None:
    picture = tmp_path / "vncdotool.png"
    with port_to_console(lab.address(HOST), path_of(api, vm, "rfb", session_id)) as port:
        words = ("--server", f"127.0.0.1::{port}", "--timeout", "120", "--delay", "100")
        actions = ("key", "enter", "type", "vncdo was here", "key", "enter", "pause", "1", "capture", str(picture))
        program = "import sys; from vncdotool.command import vncdo; sys.exit(vncdo())"

        def type_it() -> None:
            done = subprocess.run(
                [sys.executable, "-c", program, *words, *actions],
                env={**os.environ, "PYTHONPATH": str(foreign_packages())},
                capture_output=True,
                text=True,
                timeout=180,
            )
            assert done.returncode == 0, done.stderr[-2000:]

        read_until_typed(shell, "vncdo was here", type_it)
    assert picture.read_bytes().startswith(PNG)
    assert picture.stat().st_size > 2000, "more than an empty screen"


def test_novnc_in_chromium_shows_the_screen_and_types(
    api: Any, lab: LabHandle, vm: str, session_id: str, shell: Shell, node_modules: Path, tmp_path: Path
) -> None:
    origin = f"https://{lab.address(HOST)}"
    socket = f"wss://{lab.address(HOST)}{path_of(api, vm, 'rfb', session_id)}"
    html = PAGE.replace("SOCKET", repr(socket))
    novnc = node_modules / "@novnc/novnc"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", STRANGER])
        page = chromium.new_page(ignore_https_errors=True)
        page.set_default_timeout(PATIENCE_MS)
        # The page comes from the test, as if the host had it: for a browser it is the host's own.
        page.route(f"{origin}/page", lambda asked: asked.fulfill(content_type="text/html", body=html))
        page.route(
            f"{origin}/novnc/**",
            lambda asked: asked.fulfill(path=novnc / asked.request.url.removeprefix(f"{origin}/novnc/")),
        )
        page.goto(f"{origin}/page")
        page.wait_for_function("window.told && told.includes('connect')")
        wait_until("something on the screen", lambda: bool(page.evaluate(COLOURS)[2] > 1), BOOT_S, every_s=0.5)
        width, height, _ = page.evaluate(COLOURS)
        assert width >= 640
        assert height >= 400
        page.evaluate("rfb.focus()")

        def type_it() -> None:
            page.keyboard.press("Enter")
            page.keyboard.type("novnc was here", delay=100)
            page.keyboard.press("Enter")

        read_until_typed(shell, "novnc was here", type_it)
        page.screenshot(path=tmp_path / "novnc.png")
        assert page.evaluate("told") == ["connect"]
        chromium.close()
