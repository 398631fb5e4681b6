"""What subject messages do: accounts of the external directory and their roles."""

from typing import Any

from cardume.datamodel import errors
from cardume.datamodel.refs import Ref
from cardume.datamodel.subject import Subject
from cardume.messages.call import Call
from cardume.messages.registry import implements
from cardume.messages.role import permission_names, role_of


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


@implements("subject.add_to_roles")
async def add_to_roles(call: Call, self: Ref[Subject], role: Ref[Any]) -> None:
    if role_of(role) is None:
        raise errors.ROLE_NOT_FOUND()  # a single permission is a record too, and no role to give
    async with call.db.transaction() as txn:
        roles = txn.get(self).roles
        if role in roles:
            raise errors.ROLE_ALREADY_EXISTS()
        txn.update(self, roles=(*roles, role))


@implements("subject.remove_from_roles")
async def remove_from_roles(call: Call, self: Ref[Subject], role: Ref[Any]) -> None:
    async with call.db.transaction() as txn:
        roles = txn.get(self).roles
        if role not in roles:
            raise errors.ROLE_NOT_FOUND()
        txn.update(self, roles=tuple(other for other in roles if other != role))


@implements("subject.get_permissions_name_label")
async def get_permissions_name_label(call: Call, self: Ref[Subject]) -> tuple[str, ...]:
    roles = [role for ref in call.db.get(self).roles if (role := role_of(ref)) is not None]
    return permission_names(max(roles)) if roles else ()
