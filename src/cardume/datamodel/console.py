"""console: a VM's screen or serial line."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, field, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel import vm


@named("console_protocol")
class ConsoleProtocol(StrEnum):
    """What is spoken at a console."""

    VT100 = "vt100"
    RFB = "rfb"
    RDP = "rdp"


@xenclass(name="console", role=Role.VM_ADMIN, volatile=True, constructor=True)
class Console:
    """A VM's screen or serial line while it runs; it comes and goes with the running VM."""

    uuid: str = field(RO, "the object's unique identifier")
    VM: Ref[vm.VM] = field(RO, "the VM whose console it is")
    protocol: ConsoleProtocol = field(
        RO, "what is spoken there: rfb is a screen, vt100 a serial line", ConsoleProtocol.RFB
    )
    location: str = field(RO, "the URL where a client with a session reaches the console")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep")
