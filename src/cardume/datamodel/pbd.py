"""PBD: how a host reaches an SR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel import sr
    from cardume.datamodel.host import Host


@xenclass(role=Role.POOL_OPERATOR, constructor=True)
class PBD:
    """The link through which one host reaches one SR."""

    uuid: str = field(RO, "the object's unique identifier")
    host: Ref[Host] = field(STATIC_RO, "the host that reaches the SR")
    SR: Ref[sr.SR] = field(STATIC_RO, "the SR that is reached")
    device_config: Mapping[str, str] = field(STATIC_RO, "how this host reaches it; keys depend on the SR's type")
    currently_attached: bool = field(RO, "true while the SR is attached on this host", False)
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message(errors=("SR_UNKNOWN_DRIVER",))
    def plug(self) -> None:
        """Attach the SR on this host; plugging an attached PBD does nothing."""

    @message()
    def unplug(self) -> None:
        """Detach the SR from this host; refused while a disk on it is in use."""

    @message()
    def set_device_config(self, value: Mapping[str, str]) -> None:
        """Change how this host reaches the SR; takes effect at the next plug."""
