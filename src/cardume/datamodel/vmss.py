"""VMSS: a schedule of snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.vm import VM


@named("vmss_frequency")
class VMSSFrequency(StrEnum):
    """How often a schedule runs."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


@named("vmss_type")
class VMSSType(StrEnum):
    """What kind of snapshot a schedule makes."""

    SNAPSHOT = "snapshot"
    CHECKPOINT = "checkpoint"
    SNAPSHOT_WITH_QUIESCE = "snapshot_with_quiesce"


@xenclass(role=Role.POOL_OPERATOR, has_async=False, constructor=True)
class VMSS:
    """A schedule by which snapshots of VMs are made, and the oldest removed."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the schedule's name", "")
    name_description: str = field(RW, "notes about the schedule", "")
    VMs: Set[Ref[VM]] = field(RO, "the VMs that it covers", backref="VM.snapshot_schedule")
    enabled: bool = field(RW, "true while the schedule runs", True)
    frequency: VMSSFrequency = field(STATIC_RO, "how often it runs")
    last_run_time: datetime = field(RO, "when it last ran")
    retained_snapshots: int = field(STATIC_RO, "snapshots of each VM to keep", 7)
    schedule: Mapping[str, str] = field(STATIC_RO, "when it runs: min, hour and days", {})
    type: VMSSType = field(STATIC_RO, "what kind of snapshot it makes")

    @message()
    def add_to_schedule(self, key: str, value: str) -> None:
        """Add a pair to when it runs."""

    @message()
    def remove_from_schedule(self, key: str) -> None:
        """Remove a key of when it runs."""

    @message()
    def set_frequency(self, value: VMSSFrequency) -> None:
        """Change how often it runs."""

    @message(role=Role.LOCAL_ROOT)
    def set_last_run_time(self, value: datetime) -> None:
        """Note when it last ran."""

    @message()
    def set_retained_snapshots(self, value: int) -> None:
        """Change how many snapshots of each VM are kept."""

    @message()
    def set_schedule(self, value: Mapping[str, str]) -> None:
        """Change when it runs."""

    @message()
    def set_type(self, value: VMSSType) -> None:
        """Change what kind of snapshot it makes."""

    @message()
    def snapshot_now(vmss) -> str:
        """Run the schedule once, now."""
