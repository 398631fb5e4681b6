"""subject: a user or group of the external directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.role import RoleRecord


@xenclass(name="subject", constructor=True)
class Subject:
    """A user or group of the external directory that may log in, and its roles."""

    uuid: str = field(RO, "the object's unique identifier")
    subject_identifier: str = field(STATIC_RO, "the account's identifier at the directory", "")
    other_config: Mapping[str, str] = field(
        STATIC_RO, "what the directory tells about the account, for instance subject-name", {}
    )
    roles: Set[Ref[RoleRecord]] = field(RO, "the roles that the account has; none until one is given")

    @message(has_async=False)
    def add_to_roles(self, role: Ref[RoleRecord]) -> None:
        """Give the account a role."""

    @message(has_async=False)
    def remove_from_roles(self, role: Ref[RoleRecord]) -> None:
        """Take a role from the account."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_permissions_name_label(self) -> Set[str]:
        """The names of the permissions that the account's roles give."""
