"""Users: the accounts that may use a pool, as XenAPI's subjects, and their roles."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from cardume.console.connections.cache import Record
from cardume.console.presenters.sources import Source
from cardume.console.presenters.tables import Cell, RowAct, Table
from cardume.console.text.catalogue import Texts

# From most to least, by the references that they have in every pool: no event tells of them.
ROLES: Mapping[str, str] = {
    "pool-admin": "OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba",
    "pool-operator": "OpaqueRef:b9ce9791-0604-50cd-0649-09b3284c7dfd",
    "vm-power-admin": "OpaqueRef:7955168d-7bec-10ed-105f-c6a7e6e63249",
    "vm-admin": "OpaqueRef:aaa00ab5-7340-bfbc-0d1b-7cf342639a6e",
    "vm-operator": "OpaqueRef:fb8d4ff9-310c-a959-0613-54101535d3d5",
    "read-only": "OpaqueRef:7233b8e3-eacb-d7da-2c95-f2e581cdbf4e",
}
LEAST = "read-only"


def users(source: Source, t: Texts) -> Table:
    """Root, which is always there, and the subjects by name."""
    away = "" if source.connected else t("why.away")
    rows: list[tuple[Cell, ...]] = [(Cell("root"), Cell(t("users.everything")), Cell(t("users.root")), Cell(""))]
    rows += [_row(ref, subject, away, t) for ref, subject in _by_name(source)]
    columns = tuple(t(f"column.{key}") for key in ("user", "role", "rights", "actions"))
    return Table(columns, tuple(rows), "", note=t("users.note"))


def name_of(subject: Record) -> str:
    """What people call an account."""
    told = subject["other_config"]
    return str(told.get("subject-name") or told.get("subject-displayname") or subject["subject_identifier"])


def roles_of(subject: Record) -> list[str]:
    """An account's roles by name, the one that gives most first."""
    return [name for name, ref in ROLES.items() if ref in subject["roles"]]


def role_choices(t: Texts) -> dict[str, str]:
    """The roles to choose from, with what each may do."""
    return {name: f"{t(f'role.{name}')}: {t(f'rights.{name}')}" for name in ROLES}


def why_not_added(draft: Mapping[str, Any], source: Source, t: Texts) -> str:
    """What keeps an account from being added; empty when nothing does."""
    name = draft["name"].strip()
    if not name:
        return t("users.no_name")
    if name == "root":
        return t("users.root")
    if any(name_of(subject) == name for _, subject in _by_name(source)):
        return t("users.known", name=name)
    return ""


def commands_to_add(draft: Mapping[str, Any]) -> tuple[str, ...]:
    """The `xe` commands that adding an account stands for."""
    name = quote(draft["name"].strip())
    return (f"xe subject-add subject-name={name}", f"xe subject-role-add uuid=SUBJECT role-name={draft['role']}")


def commands_to_change(subject: Record, role: str) -> tuple[str, ...]:
    """The `xe` commands that another role stands for; none when the account has this one and no other."""
    before = roles_of(subject)
    gain = () if role in before else (f"xe subject-role-add uuid={subject['uuid']} role-name={role}",)
    return (*gain, *(f"xe subject-role-remove uuid={subject['uuid']} role-name={one}" for one in lost(before, role)))


def lost(before: Sequence[str], role: str) -> list[str]:
    """The roles that go when an account gets another one, the one that gives most last: until then it counts."""
    return [one for one in reversed(before) if one != role]


def _by_name(source: Source) -> list[tuple[str, Record]]:
    return sorted(source.cache.all("subject").items(), key=lambda pair: (name_of(pair[1]).casefold(), pair[1]["uuid"]))


def _row(ref: str, subject: Record, away: str, t: Texts) -> tuple[Cell, ...]:
    roles = roles_of(subject)
    rights = t(f"rights.{roles[0]}") if roles else t("users.no_rights")
    acts = (
        RowAct("user_role", t("row.user_role"), ref, away),
        RowAct("user_remove", t("row.user_remove"), ref, away, is_danger=True),
    )
    named = ", ".join(t(f"role.{name}") for name in roles) or t("users.no_role")
    return Cell(name_of(subject)), Cell(named), Cell(rights), Cell("", acts=acts)
