"""Fixtures of the tests of messages; see fake_host.py."""

from tests.unit.messages.fake_host import api, host, sr, vm

__all__ = ["api", "host", "sr", "vm"]
