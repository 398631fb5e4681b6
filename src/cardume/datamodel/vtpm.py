"""VTPM: a guest's virtual security chip."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel import vm


@named("persistence_backend")
class PersistenceBackend(StrEnum):
    """Where the state of a virtual TPM is kept."""

    XAPI = "xapi"


@named("vtpm_operations")
class VTPMOperation(StrEnum):
    """Operations on a virtual TPM that exclude others while they run."""

    DESTROY = "destroy"


@xenclass(role=Role.VM_ADMIN)
class VTPM:
    """A virtual TPM: a guest's security chip, whose state goes wherever the guest goes."""

    uuid: str = field(RO, "the object's unique identifier")
    VM: Ref[vm.VM] = field(STATIC_RO, "the guest")
    backend: Ref[vm.VM] = field(RO, "the domain that serves it; always null")
    is_protected: bool = field(RO, "true when its state is encrypted where it is kept")
    is_unique: bool = field(STATIC_RO, "true when copies of the guest must not carry its state along", False)
    persistence_backend: PersistenceBackend = field(RO, "where its state is kept", PersistenceBackend.XAPI)
    allowed_operations: Set[VTPMOperation] = field(RO, "operations that it could begin now", volatile=True)
    current_operations: Mapping[str, VTPMOperation] = field(RO, "operations that run on it now, by task", volatile=True)

    @message()
    @staticmethod
    def create(vM: Ref[vm.VM], is_unique: bool) -> Ref[VTPM]:
        """Give a halted guest a TPM with empty state."""

    @message()
    def destroy(self) -> None:
        """Remove the TPM and its state from a halted guest."""
