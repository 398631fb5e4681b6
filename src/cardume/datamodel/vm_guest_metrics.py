"""VM_guest_metrics: what the agent inside a VM tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from cardume.datamodel.declare import RO, RW, field, named, xenclass
from cardume.datamodel.roles import Role


@named("tristate_type")
class Tristate(StrEnum):
    """An answer that may not be known yet."""

    YES = "yes"
    NO = "no"
    UNSPECIFIED = "unspecified"


@xenclass(name="VM_guest_metrics", role=Role.VM_ADMIN, volatile=True)
class VMGuestMetrics:
    """What the agent inside a VM tells about its guest; in Cardume that is the QEMU guest agent."""

    uuid: str = field(RO, "the object's unique identifier")
    os_version: Mapping[str, str] = field(
        RO, "the guest's system: name, distro, major, minor, uname, as far as the agent tells"
    )
    netbios_name: Mapping[str, str] = field(RO, "the guest's names in a Windows network")
    PV_drivers_version: Mapping[str, str] = field(
        RO, "the version of the guest's agent, in parts: major, minor, micro, build"
    )
    PV_drivers_up_to_date: bool = field(RO, "the same as PV_drivers_detected; kept for older clients")
    PV_drivers_detected: bool = field(RO, "true when the guest's agent has answered since it started")
    networks: Mapping[str, str] = field(
        RO, "the guest's addresses: 0/ip and 0/ipv4/0 hold the first IPv4 address of card 0"
    )
    other: Mapping[str, str] = field(RO, "what the guest can do, for instance feature-shutdown")
    services: Mapping[str, str] = field(RO, "what services in the guest tell about themselves")
    live: bool = field(RO, "true while the agent answers")
    last_updated: datetime = field(RO, "when one of these facts last changed")
    can_use_hotplug_vbd: Tristate = field(RO, "whether the running guest takes disks in and out", Tristate.UNSPECIFIED)
    can_use_hotplug_vif: Tristate = field(
        RO, "whether the running guest takes network cards in and out", Tristate.UNSPECIFIED
    )
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep; lost at a restart of the master", {})
