"""Roles as records: the six that subjects may have, and one for each message, so that clients can explain a refusal."""

import uuid
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from cardume.datamodel.http_handlers import HTTP_HANDLERS
from cardume.datamodel.refs import PREFIX, Ref
from cardume.datamodel.role import RoleRecord
from cardume.datamodel.roles import Role
from cardume.datamodel.schema import Message, schema
from cardume.messages.call import Call
from cardume.messages.registry import implements
from cardume.pooldb.db import Database

# The references that every pool in the world uses for these roles; subjects of other pools name them.
_KNOWN: Mapping[Role, tuple[str, str]] = {
    Role.POOL_ADMIN: (
        "0165f154-ba3e-034e-6b27-5d271af109ba",
        "May do everything, including changing other people's roles",
    ),
    Role.POOL_OPERATOR: ("b9ce9791-0604-50cd-0649-09b3284c7dfd", "May manage hosts, storage and networks, and VMs"),
    Role.VM_POWER_ADMIN: ("7955168d-7bec-10ed-105f-c6a7e6e63249", "May make and move VMs, and choose where they run"),
    Role.VM_ADMIN: ("aaa00ab5-7340-bfbc-0d1b-7cf342639a6e", "May make, change and remove VMs"),
    Role.VM_OPERATOR: ("fb8d4ff9-310c-a959-0613-54101535d3d5", "May start, stop and use VMs"),
    Role.READ_ONLY: ("7233b8e3-eacb-d7da-2c95-f2e581cdbf4e", "May look at everything and change nothing"),
}
_BY_REF: Mapping[Ref[Any], Role] = {Ref(PREFIX + identifier): role for role, (identifier, _) in _KNOWN.items()}
_NAMESPACE = uuid.UUID("0165f154-ba3e-034e-6b27-5d271af109ba")

_OF_ANY_TASK = ("cancel", "destroy", *(f"set_{field}" for field in ("status", "progress", "result", "error_info")))
_OF_ANY_TASK += ("set_other_config", "add_to_other_config", "remove_from_other_config")
"""What a task's owner may do with it by the message's own role, and others only with a permission more."""


def role_ref(role: Role) -> Ref[RoleRecord]:
    """The reference of one of the six roles."""
    return Ref(PREFIX + _KNOWN[role][0])


def role_of(ref: Ref[Any]) -> Role | None:
    """Which of the six roles a reference names."""
    return _BY_REF.get(ref)


def permission_of(message: Message, key: str | None = None) -> str:
    """The name of the permission that a message needs, or that one key of a map needs."""
    name = message.full_name.lower()
    return name if key is None else f"{name}/key:{key}"


@cache
def permissions() -> Mapping[str, Role]:
    """Every permission and the least role that has it."""
    found: dict[str, Role] = {}
    for message in schema().messages():
        found[permission_of(message)] = message.role
        for key, role in message.key_roles.items():
            found[permission_of(message, key)] = role
    for handler in HTTP_HANDLERS.values():
        if handler.needs_role:
            found[handler.permission] = handler.role
            found |= {f"{handler.permission}/{part}": role for part, role in handler.sub_roles.items()}
    found |= {f"task.{name}/any": Role.POOL_OPERATOR for name in _OF_ANY_TASK}
    return dict(sorted(found.items()))


@cache
def permission_names(role: Role) -> tuple[str, ...]:
    """The names of the permissions that a role gives."""
    return tuple(name for name, least in permissions().items() if least <= role)


async def ensure_roles(db: Database) -> None:
    """Make the records of roles that are not there yet."""
    async with db.transaction() as txn:
        for ref, record in _records():
            if txn.find(ref) is None:
                txn.create(record, ref)


@cache
def _records() -> tuple[tuple[Ref[RoleRecord], RoleRecord], ...]:
    return tuple(_make_records())


def _make_records() -> Iterable[tuple[Ref[RoleRecord], RoleRecord]]:
    refs = {name: _permission_ref(name) for name in permissions()}
    for name, ref in refs.items():
        yield ref, RoleRecord(uuid=ref.removeprefix(PREFIX), name_label=name, name_description="A permission")
    for role, (identifier, description) in _KNOWN.items():
        subroles = tuple(refs[name] for name in permission_names(role))
        yield (
            role_ref(role),
            RoleRecord(uuid=identifier, name_label=role.wire_name, name_description=description, subroles=subroles),
        )


def _permission_ref(name: str) -> Ref[RoleRecord]:
    return Ref(PREFIX + str(uuid.uuid5(_NAMESPACE, name)))


@implements("role.get_permissions")
async def get_permissions(call: Call, self: Ref[RoleRecord]) -> tuple[Ref[RoleRecord], ...]:
    return call.db.get(self).subroles


@implements("role.get_permissions_name_label")
async def get_permissions_name_label(call: Call, self: Ref[RoleRecord]) -> tuple[str, ...]:
    return tuple(call.db.get(ref).name_label for ref in call.db.get(self).subroles)


@implements("role.get_by_permission")
async def get_by_permission(call: Call, permission: Ref[RoleRecord]) -> tuple[Ref[RoleRecord], ...]:
    return tuple(ref for ref, record in call.db.all(RoleRecord).items() if permission in record.subroles)


@implements("role.get_by_permission_name_label")
async def get_by_permission_name_label(call: Call, label: str) -> tuple[Ref[RoleRecord], ...]:
    least = permissions().get(label)
    return () if least is None else tuple(role_ref(role) for role in _KNOWN if role >= least)
