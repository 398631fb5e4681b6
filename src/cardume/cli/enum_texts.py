"""Enumerated values in the words of XenServer's command line, where they differ from the API's."""

from collections.abc import Mapping

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "vm_power_state": {"Halted": "halted", "Paused": "paused", "Running": "running", "Suspended": "suspended"},
    "on_normal_exit": {"destroy": "Destroy", "restart": "Restart"},
    "on_softreboot_behavior": {
        "destroy": "Destroy",
        "restart": "Restart",
        "preserve": "Preserve",
        "soft_reboot": "Soft reboot",
    },
    "on_crash_behaviour": {
        "destroy": "Destroy",
        "coredump_and_destroy": "Core dump and destroy",
        "restart": "Restart",
        "coredump_and_restart": "Core dump and restart",
        "preserve": "Preserve",
        "rename_restart": "Rename restart",
    },
    "domain_type": {"pv_in_pvh": "pv-in-pvh"},
    "vdi_type": {
        "system": "System",
        "user": "User",
        "ephemeral": "Ephemeral",
        "suspend": "Suspend",
        "crashdump": "Crashdump",
        "ha_statefile": "HA statefile",
        "metadata": "Metadata",
        "redo_log": "Redo log",
        "pvs_cache": "PVS cache",
        "cbt_metadata": "CBT metadata",
    },
    "console_protocol": {"vt100": "VT100", "rfb": "RFB", "rdp": "RDP"},
    "tristate_type": {"yes": "true", "no": "false"},
    "vif_locking_mode": {"network_default": "network_default"},
    "host_allowed_operations": {"vm_start": "VM.start", "vm_resume": "VM.resume", "vm_migrate": "VM.migrate"},
}


def shown(enum: str, value: str) -> str:
    """A value of an enum as it is shown."""
    return _TEXTS.get(enum, {}).get(value, value)


def wired(enum: str, values: list[str], text: str) -> str | None:
    """The value that a typed text means: as it is shown or as the API has it, in any case; None when it is none."""
    asked = text.lower().replace("-", "_")
    for value in values:
        if asked in (value.lower(), shown(enum, value).lower().replace("-", "_")):
            return value
    return None
