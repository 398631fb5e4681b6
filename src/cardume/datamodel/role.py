"""role: what a subject may do."""

from __future__ import annotations

from cardume.datamodel.declare import RO, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set


@xenclass(name="role", volatile=True)
class RoleRecord:
    """A role that subjects may have: a list of the messages it may call."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(
        STATIC_RO, "the role's name, for instance vm-operator; for a permission, the message in lower case", ""
    )
    name_description: str = field(STATIC_RO, "what the role is for", "")
    subroles: Set[Ref[RoleRecord]] = field(STATIC_RO, "the permissions that make up the role", ())
    is_internal: bool = field(RO, "true for a role that only Cardume itself uses")

    @message(role=Role.READ_ONLY, has_async=False)
    def get_permissions(self) -> Set[Ref[RoleRecord]]:
        """The permissions that the role gives."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_permissions_name_label(self) -> Set[str]:
        """The names of the permissions that the role gives."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_by_permission(permission) -> Set[Ref[RoleRecord]]:
        """The roles that give this permission."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def get_by_permission_name_label(label: str) -> Set[Ref[RoleRecord]]:
        """The roles that give the permission of this name."""
