"""host_crashdump: what was saved when a host's own kernel crashed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel.host import Host


@xenclass(name="host_crashdump", role=Role.POOL_OPERATOR)
class HostCrashdump:
    """What was saved when a host's own kernel crashed."""

    uuid: str = field(RO, "the object's unique identifier")
    host: Ref[Host] = field(STATIC_RO, "the host that crashed")
    timestamp: datetime = field(RO, "when it crashed")
    size: int = field(RO, "bytes that the dump takes on the host")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    def destroy(self) -> None:
        """Remove the dump from the host."""

    @message()
    def upload(self, url: str, options: Mapping[str, str]) -> None:
        """Send the dump to a URL, for those who look into the crash."""
