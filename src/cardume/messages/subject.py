"""What subject messages do: the accounts that may use the pool, and their roles."""

from typing import Any, Protocol, cast

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.subject import Subject
from cardume.messages.call import Call
from cardume.messages.registry import implements
from cardume.messages.role import permission_names, role_of
from cardume.messages.session import Identity
from cardume.pooldb.db import Database, Reader


class RoleFollower(Protocol):
    """Keeps what follows from subjects' roles; `api/sessions.py` is the implementation."""

    async def follow_roles(self) -> None:
        """Give live sessions their subjects' roles as they are now; end those that have none left."""
        ...


def role_of_subject(db: Reader, ref: Ref[Subject]) -> Role | None:
    """The highest of a subject's roles; None when it has none, or is gone."""
    subject = db.find(ref)
    roles = [role for each in subject.roles if (role := role_of(each)) is not None] if subject is not None else []
    return max(roles, default=None)


def find_subject(db: Database, identifier: str) -> Ref[Subject] | None:
    """The subject with this identifier at the directory."""
    subjects = db.all(Subject).items()
    return next((ref for ref, subject in subjects if subject.subject_identifier == identifier), None)


def grant(db: Database, user: str, identifier: str | None) -> Identity | None:
    """The rights that an account of the directory has here; None when it is no subject, or one without a role."""
    subject = find_subject(db, identifier) if identifier else None
    role = role_of_subject(db, subject) if subject is not None else None
    if subject is None or role is None:
        return None
    return Identity(user, role, subject=subject, sid=identifier or "")


@implements("subject.create")
async def create(call: Call, args: Subject) -> Ref[Any]:
    async with call.db.transaction() as txn:
        known = {subject.subject_identifier for subject in txn.all(Subject).values()}
        if args.subject_identifier in known:
            raise errors.SUBJECT_ALREADY_EXISTS()
        return txn.create(args)


@implements("subject.destroy")
async def destroy(call: Call, self: Ref[Subject]) -> None:
    await call.db.delete(self)
    await _follow_roles(call)


@implements("subject.add_to_roles")
async def add_to_roles(call: Call, self: Ref[Subject], role: Ref[Any]) -> None:
    if role_of(role) is None:
        raise errors.ROLE_NOT_FOUND()  # a single permission is a record too, and no role to give
    async with call.db.transaction() as txn:
        roles = txn.get(self).roles
        if role in roles:
            raise errors.ROLE_ALREADY_EXISTS()
        txn.update(self, roles=(*roles, role))
    await _follow_roles(call)


@implements("subject.remove_from_roles")
async def remove_from_roles(call: Call, self: Ref[Subject], role: Ref[Any]) -> None:
    async with call.db.transaction() as txn:
        roles = txn.get(self).roles
        if role not in roles:
            raise errors.ROLE_NOT_FOUND()
        txn.update(self, roles=tuple(other for other in roles if other != role))
    await _follow_roles(call)


@implements("subject.get_permissions_name_label")
async def get_permissions_name_label(call: Call, self: Ref[Subject]) -> tuple[str, ...]:
    role = role_of_subject(call.db, self)
    return permission_names(role) if role is not None else ()


async def _follow_roles(call: Call) -> None:
    await cast(RoleFollower, call.services["sessions"]).follow_roles()
