"""VM_appliance: VMs that start and stop together."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.session import Session
    from cardume.datamodel.sr import SR
    from cardume.datamodel.vm import VM


@named("vm_appliance_operation")
class ApplianceOperation(StrEnum):
    """What may be done with an appliance."""

    START = "start"
    CLEAN_SHUTDOWN = "clean_shutdown"
    HARD_SHUTDOWN = "hard_shutdown"
    SHUTDOWN = "shutdown"


@xenclass(name="VM_appliance", role=Role.POOL_OPERATOR, constructor=True)
class VMAppliance:
    """VMs that start and stop together, in the order and with the delays that each VM's record says."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the name, for people to read", "")
    name_description: str = field(RW, "what it is, for people to read", "")
    allowed_operations: Set[ApplianceOperation] = field(RO, "what may be done with it now", (), volatile=True)
    current_operations: Mapping[str, ApplianceOperation] = field(
        RO, "what is being done with it, by task reference", {}, volatile=True
    )
    VMs: Set[Ref[VM]] = field(RO, "its VMs", backref="VM.appliance")

    @message(errors=("OPERATION_PARTIALLY_FAILED",))
    def start(self, paused: bool) -> None:
        """Start its VMs, those of a lower order first; paused leaves them waiting."""

    @message(errors=("OPERATION_PARTIALLY_FAILED",))
    def clean_shutdown(self) -> None:
        """Ask its guests to shut down, those of the highest order first."""

    @message(errors=("OPERATION_PARTIALLY_FAILED",))
    def hard_shutdown(self) -> None:
        """End its guests at once, those of the highest order first."""

    @message(errors=("OPERATION_PARTIALLY_FAILED",))
    def shutdown(self) -> None:
        """Ask its guests to shut down and end those that do not, those of the highest order first."""

    @message(role=Role.READ_ONLY, errors=("VM_REQUIRES_SR",))
    def assert_can_be_recovered(self, session_to: Ref[Session]) -> None:
        """Refuse when its VMs could not be recovered in the pool of another session."""

    @message(role=Role.READ_ONLY)
    def get_SRs_required_for_recovery(self, session_to: Ref[Session]) -> Set[Ref[SR]]:
        """The SRs that its VMs need to be recovered in the pool of another session."""

    @message(role=Role.READ_ONLY, errors=("VM_REQUIRES_SR",))
    def recover(self, session_to: Ref[Session], force: bool) -> None:
        """Recover its VMs in the pool of another session."""
