"""Roles, least first: a message names the least role that may call it."""

from enum import IntEnum


class Role(IntEnum):
    READ_ONLY = 0
    VM_OPERATOR = 1
    VM_ADMIN = 2
    VM_POWER_ADMIN = 3
    POOL_OPERATOR = 4
    POOL_ADMIN = 5
    LOCAL_ROOT = 6  # the local superuser and the pool itself; no subject has it

    @property
    def wire_name(self) -> str:
        """The role's name_label, e.g. `vm-power-admin`."""
        return self.name.lower().replace("_", "-")
