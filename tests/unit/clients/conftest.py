"""A host with hands in memory for the sequences that clients open with."""

from tests.unit.clients.jsonrpc_client import rpc
from tests.unit.messages.fake_host import api, host, sr, vm

__all__ = ["api", "host", "rpc", "sr", "vm"]
