"""Caller: a client as seen by the rate limits."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.rate_limit import RateLimit


@xenclass(constructor=True)
class Caller:
    """A client that calls the API, told from others by its program and address."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the caller's name", "")
    name_description: str = field(RW, "notes about the caller", "")
    auto_registered: bool = field(RO, "true when the server noticed it by itself")
    client_ip: str = field(STATIC_RO, "address that it calls from; empty means any", "")
    groups: Set[str] = field(RO, "words by which callers are counted together")
    last_access: datetime = field(RO, "when it last called")
    rate_limit: Ref[RateLimit] = field(RO, "the limit that it is under; null for none")
    user_agent: str = field(STATIC_RO, "how its program introduces itself; empty means any", "")

    @message(role=Role.POOL_OPERATOR)
    def add_group(self, group: str) -> None:
        """Count the caller in a group."""

    @message(role=Role.POOL_OPERATOR)
    @staticmethod
    def query_all_usage() -> Set[Set[str]]:
        """What every caller has used."""

    @message(role=Role.POOL_OPERATOR)
    def query_call_count(self) -> int:
        """How many calls the caller made."""

    @message(role=Role.POOL_OPERATOR)
    @staticmethod
    def query_group_call_count(group: str) -> int:
        """How many calls the group's callers made."""

    @message(role=Role.POOL_OPERATOR)
    @staticmethod
    def query_group_token_usage(group: str) -> float:
        """How many tokens the group's callers used."""

    @message(role=Role.POOL_OPERATOR)
    def query_token_usage(self) -> float:
        """How many tokens the caller used."""

    @message(role=Role.POOL_OPERATOR)
    def remove_group(self, group: str) -> None:
        """Stop counting the caller in a group."""
