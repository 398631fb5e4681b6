"""A running guest's disk made larger: by libvirt where an image grows, by QEMU's monitor where a slice does."""

from collections.abc import Mapping
from typing import Any, Protocol

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.device_xml import DISK_ALIAS
from cardume.hostops.guests.guest import IscsiSource

_FORMAT, _STORAGE = "-format", "-storage"  # how libvirt names the nodes of one disk


class Monitor(Protocol):
    """Asks a guest's QEMU."""

    def __call__(self, execute: str, arguments: Mapping[str, Any]) -> Any: ...


def grow_slice(ask: Monitor, device: str, source: IscsiSource) -> None:
    """Let QEMU have a slice at its new size, and tell the guest. The guest's processors must not run meanwhile.

    QEMU refuses to resize a slice, and tells the guest nothing when the node is reopened with another size. A node
    without a size can be resized, but reaches to the end of the LUN until it has one again: of that the guest may see
    nothing, so it stands still until the last of these three steps is done. GuestError when QEMU refuses one.
    """
    node = _node_of(ask, device)
    options = {
        "driver": "raw",
        "node-name": node,
        "offset": source.offset,
        "file": node.removesuffix(_FORMAT) + _STORAGE,
        "read-only": False,
        "discard": "unmap",
        "detect-zeroes": "unmap",
        "cache": {"direct": True, "no-flush": False},
    }
    sized = {**options, "size": source.size}
    ask("blockdev-reopen", {"options": [options]})
    try:
        ask("block_resize", {"node-name": node, "size": source.size})
    finally:
        ask("blockdev-reopen", {"options": [sized]})


def _node_of(ask: Monitor, device: str) -> str:
    for drive in ask("query-block", {}):
        if f"/{DISK_ALIAS}{device}/" in f"{drive.get('qdev', '')}/":
            node = str(drive.get("inserted", {}).get("node-name", ""))
            if node.endswith(_FORMAT):
                return node
    raise GuestError(f"the guest has no disk {device} that can be grown")
