"""host_cpu: one hardware thread of a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, field, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel.host import Host


@xenclass(name="host_cpu", role=Role.POOL_OPERATOR)
class HostCpu:
    """One hardware thread of a host. Kept for old clients: host.cpu_info says the same shorter."""

    uuid: str = field(RO, "the object's unique identifier")
    host: Ref[Host] = field(RO, "the host it is in")
    number: int = field(RO, "its place among the host's processors, from 0")
    vendor: str = field(RO, "who made it")
    modelname: str = field(RO, "the model's name")
    family: int = field(RO, "the family number it reports")
    model: int = field(RO, "the model number it reports")
    stepping: str = field(RO, "the revision it reports")
    speed: int = field(RO, "clock in MHz")
    flags: str = field(RO, "the features it reports, as words")
    features: str = field(RO, "the features it reports, as numbers in hexadecimal")
    utilisation: float = field(RO, "share of time it is busy, from 0 to 1", volatile=True)
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})
