"""DR_task: a search for SRs of a lost site, whose VMs' records can then be recovered here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.sr import SR


@xenclass(name="DR_task", role=Role.POOL_OPERATOR)
class DRTask:
    """A search for SRs of a lost site, whose VMs' records can then be recovered here."""

    uuid: str = field(RO, "the object's unique identifier")
    introduced_SRs: Set[Ref[SR]] = field(RO, "the SRs that were found and brought in", backref="SR.introduced_by")

    @message()
    @staticmethod
    def create(type: str, device_config: Mapping[str, str], whitelist: Set[str]) -> Ref[DRTask]:
        """Look for SRs at a place and bring in those that the list of uuids names."""

    @message()
    def destroy(self) -> None:
        """End the search: the SRs that it brought in are detached and forgotten again."""
