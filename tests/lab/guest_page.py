"""What the lab's guest tells of itself at `http://ADDRESS/`, and where the events say that it is."""

import json
import time
import urllib.request
from http.client import HTTPException
from typing import Any

from tests.lab.following import Follower

Page = dict[str, Any]
BOOT_S = 240.0  # of a guest without acceleration, on a machine that does other things too
NULL = "OpaqueRef:NULL"


def fetch(address: str, timeout_s: float = BOOT_S) -> Page:
    """The guest's page, asked for until it answers."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
                page: Page = json.load(answer)
                return page
        except (OSError, ValueError, HTTPException) as reason:
            if time.monotonic() > deadline:
                raise AssertionError(f"http://{address}/ did not answer within {timeout_s:g} s") from reason
            time.sleep(0.1)


def fetch_other_boot(address: str, boot_id: str, timeout_s: float = BOOT_S) -> Page:
    """The guest's page once it has booted anew."""
    deadline = time.monotonic() + timeout_s
    while (page := fetch(address, timeout_s))["boot_id"] == boot_id:
        assert time.monotonic() < deadline, f"the guest at {address} did not boot again"
        time.sleep(0.2)
    return page


def wait_address(pool: Follower, vm: str, timeout_s: float = BOOT_S) -> str:
    """The guest's IPv4 address, as soon as an event tells it."""

    def look() -> str | None:
        metrics = pool.find("vm_guest_metrics", (pool.find("vm", vm) or {}).get("guest_metrics", NULL))
        address: str | None = metrics["networks"].get("0/ip") if metrics else None
        return address

    return pool.wait(f"the address of {vm}", look, timeout_s)
