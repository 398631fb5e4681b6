"""Rows of the web console with 5,000 VMs in a browser: until the first paint, and from a click to what it asked for.

The console is the one that people start, the browser is Debian's Chromium, and the pool is the server of the rows of
the API. Cold is a browser that holds nothing of the console's yet, warm one that has just shown it.
"""

import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bench.steered import running
from bench.table import Row, seconds
from bench.wire import VMS

CHROMIUM = "/usr/bin/chromium"
COLD_LIMIT_S, WARM_LIMIT_S, CLICK_LIMIT_S = 2.5, 1.5, 0.3
ROUNDS = 7
CLICKS = 20
PATIENCE_MS = 60_000.0
_PAINTED = "cardume-tree .tree-row"


def rows() -> Iterator[Row]:
    """Measure what a person waits for who has a large pool."""
    with (
        running("bench.served", VMS) as server,
        _console(f"127.0.0.1:{server.hello['port']}") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        entered = _log_in(browser, address)
        cookies = entered.cookies()
        cold, warm = zip(*(_paints(browser, cookies, address) for _ in range(ROUNDS)), strict=True)
        clicks = _clicks(entered.pages[0])
        browser.close()
    for name, samples, limit_s in (("cold", cold, COLD_LIMIT_S), ("warm", warm, WARM_LIMIT_S)):
        what = f"console, first paint with {VMS} VMs, {name}"
        yield Row(what, seconds(samples), "", f"{limit_s} s median", statistics.median(samples) <= limit_s)
    slow = sorted(clicks)[math.ceil(len(clicks) * 0.95) - 1]
    what = f"console, click to paint with {VMS} VMs"
    yield Row(what, seconds(clicks), "", f"{CLICK_LIMIT_S * 1e3:.0f} ms of 95 %", slow <= CLICK_LIMIT_S)


@contextmanager
def _console(server: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as state:
        words = (sys.executable, "-m", "cardume", "console", "--port", "0", "--state", state, "--server", server)
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None, "asked for"
                yield process.stdout.readline().split()[-1]
            finally:
                process.terminate()
                process.wait(60)


def _log_in(browser: Browser, address: str) -> BrowserContext:
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address)
    for _ in range(2):  # the second time with the key that was shown
        page.fill("#password", "x")
        page.click("button[type=submit]")
    page.locator(_PAINTED).first.wait_for()
    return context


def _paints(browser: Browser, cookies: Any, address: str) -> tuple[float, float]:
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
    context.add_cookies(cookies)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto("about:blank")
    times = (_paint_s(page, address), _paint_s(page, address))
    context.close()
    return times


def _paint_s(page: Page, address: str) -> float:
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator(_PAINTED).nth(10).wait_for()
    page.locator(".body tbody tr").first.wait_for()
    return time.perf_counter() - began


def _clicks(page: Page) -> list[float]:
    """From a click on a VM in the tree until its heading is there."""
    found = []
    for number in range(1, CLICKS + 1):
        row = page.locator(_PAINTED).nth(number)
        name = row.locator(".name").inner_text()
        began = time.perf_counter()
        row.click()
        page.locator(".head h1", has_text=name).wait_for()
        found.append(time.perf_counter() - began)
    return found
