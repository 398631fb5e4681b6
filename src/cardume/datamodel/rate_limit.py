"""Rate_limit: how fast clients may call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.caller import Caller


@xenclass(name="Rate_limit", constructor=True)
class RateLimit:
    """A bucket of tokens that callers share: each call takes some, and waits when there are too few."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the limit's name", "")
    name_description: str = field(RW, "notes about the limit", "")
    burst_size: float = field(STATIC_RO, "tokens that the bucket holds", 0.0)
    callers: Set[Ref[Caller]] = field(RO, "the callers that share it", backref="Caller.rate_limit")
    fill_rate: float = field(STATIC_RO, "tokens that flow in each second", 0.0)

    @message()
    def add_caller(self, caller: Ref[Caller]) -> None:
        """Put a caller under this limit."""

    @message()
    def remove_caller(self, caller: Ref[Caller]) -> None:
        """Free a caller from this limit."""

    @message()
    def set_burst_size(self, value: float) -> None:
        """Change how many tokens the bucket holds."""

    @message()
    def set_fill_rate(self, value: float) -> None:
        """Change how many tokens flow in each second."""
