"""What XenAPI once had: clients of that time are told so, rather than that there never was such a message.

Fields of declared classes still point to some of the classes; such a field is always null.
"""

from collections.abc import Mapping


class VMPP:
    """Schedules of backups; VMSS took their place."""

    __xenname__ = "VMPP"


REMOVED_CLASSES = ("VBD_metrics", "VIF_metrics", "VMPP")

REMOVED_MESSAGES: Mapping[str, tuple[str, ...]] = {
    "PIF_metrics": ("get_io_read_kbs", "get_io_write_kbs"),
    "Repository": ("get_up_to_date",),
    "VBD": ("get_metrics",),
    "VIF": ("get_metrics",),
    "VM": ("get_is_snapshot_from_vmpp", "set_protection_policy", "snapshot_with_quiesce"),
    "VM_guest_metrics": ("get_disks", "get_memory"),
    "VM_metrics": ("get_VCPUs_utilisation",),
    "host": ("apply_recommended_guidances", "license_apply", "reset_cpu_features", "set_cpu_features"),
    "host_metrics": ("get_memory_free",),
    "pool": ("enable_ssl_legacy",),
}
"""Messages that are gone, by their class, which is still there."""


def is_removed(method: str) -> bool:
    """True for a message that once was, in any of the forms that calls write: `VM.x`, `VM_x`, `Async.VM.x`."""
    name = method.removeprefix("Async.")
    marks = "." if name != method else "._"
    if any(name.startswith(f"{cls}{mark}") for cls in REMOVED_CLASSES for mark in marks):
        return True
    return any(
        name == f"{cls}{mark}{message}"
        for cls, messages in REMOVED_MESSAGES.items()
        for message in messages
        for mark in marks
    )
