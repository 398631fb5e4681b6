"""auth: questions to the external directory that users come from."""

from __future__ import annotations

from collections.abc import Mapping

from cardume.datamodel.declare import message, xenclass
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set


@xenclass(name="auth", role=Role.READ_ONLY, events=False, stored=False, has_async=False)
class Auth:
    """Questions to the external directory that users come from."""

    @message()
    @staticmethod
    def get_subject_identifier(subject_name: str) -> str:
        """The directory's identifier of the user or group with this name."""

    @message()
    @staticmethod
    def get_subject_information_from_identifier(subject_identifier: str) -> Mapping[str, str]:
        """What the directory tells about an account, such as its name and whether it is locked."""

    @message()
    @staticmethod
    def get_group_membership(subject_identifier: str) -> Set[str]:
        """The identifiers of all groups that an account belongs to, those of its groups included."""
