"""What auth messages do: questions to the directory of accounts, which is each pool's own."""

from collections.abc import Mapping
from typing import Protocol, cast

from cardume.datamodel import errors
from cardume.messages.call import Call
from cardume.messages.registry import implements


class Directory(Protocol):
    """Which accounts there are; `daemons/accounts.py` is the implementation. Root is none of them."""

    def find_identifier(self, name: str) -> str | None:
        """The account's identifier, which no later account of the same name has."""
        ...

    def find_name(self, identifier: str) -> str | None: ...


@implements("auth.get_subject_identifier")
async def get_subject_identifier(call: Call, subject_name: str) -> str:
    directory = _directory(call)
    identifier = directory.find_identifier(subject_name) if directory is not None else None
    if identifier is None:
        raise errors.SUBJECT_CANNOT_BE_RESOLVED()
    return identifier


@implements("auth.get_subject_information_from_identifier")
async def get_subject_information_from_identifier(call: Call, subject_identifier: str) -> Mapping[str, str]:
    name = _name(call, subject_identifier)
    return {
        "subject-name": name,
        "subject-displayname": name,
        "subject-sid": subject_identifier,
        "subject-is-group": "false",
        "subject-account-disabled": "false",
        "subject-account-expired": "false",
        "subject-account-locked": "false",
        "subject-password-expired": "false",
    }


@implements("auth.get_group_membership")
async def get_group_membership(call: Call, subject_identifier: str) -> tuple[str, ...]:
    _name(call, subject_identifier)
    return ()  # the pool's own accounts form no groups


def _name(call: Call, identifier: str) -> str:
    directory = _directory(call)
    name = directory.find_name(identifier) if directory is not None else None
    if name is None:
        raise errors.SUBJECT_CANNOT_BE_RESOLVED()
    return name


def _directory(call: Call) -> Directory | None:
    return cast("Directory | None", call.services.get("directory"))
