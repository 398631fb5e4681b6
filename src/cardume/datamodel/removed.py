"""Classes that XenAPI once had, and that fields of declared classes still point to; such a field is always null."""


class VMPP:
    """Schedules of backups; VMSS took their place."""

    __xenname__ = "VMPP"
