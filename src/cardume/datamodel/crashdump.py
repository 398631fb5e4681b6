"""crashdump: the memory of a guest that crashed, kept in a disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel import vdi, vm


@xenclass(name="crashdump", role=Role.POOL_OPERATOR)
class Crashdump:
    """The memory of a guest that crashed, kept in a disk."""

    uuid: str = field(RO, "the object's unique identifier")
    VM: Ref[vm.VM] = field(STATIC_RO, "the VM that crashed")
    VDI: Ref[vdi.VDI] = field(STATIC_RO, "the disk that the memory was written to")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message()
    def destroy(self) -> None:
        """Remove the dump with its disk."""
