"""Observer: where traces are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.host import Host


@xenclass(constructor=True)
class Observer:
    """A receiver of traces: spans of work that programs of the hosts report."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the observer's name", "")
    name_description: str = field(RW, "notes about the observer", "")
    attributes: Mapping[str, str] = field(STATIC_RO, "pairs added to every span", {})
    components: Set[str] = field(STATIC_RO, "programs that report; empty means all", ())
    enabled: bool = field(STATIC_RO, "true while traces are made", False)
    endpoints: Set[str] = field(STATIC_RO, "where spans are sent to", ())
    hosts: Set[Ref[Host]] = field(STATIC_RO, "hosts that report; empty means all", ())

    @message()
    def set_attributes(self, value: Mapping[str, str]) -> None:
        """Choose the pairs added to every span."""

    @message()
    def set_components(self, value: Set[str]) -> None:
        """Choose the programs that report."""

    @message()
    def set_enabled(self, value: bool) -> None:
        """Start or stop making traces."""

    @message()
    def set_endpoints(self, value: Set[str]) -> None:
        """Choose where spans are sent to."""

    @message()
    def set_hosts(self, value: Set[Ref[Host]]) -> None:
        """Choose the hosts that report."""
