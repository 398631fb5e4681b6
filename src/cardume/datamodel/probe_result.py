"""probe_result: one place that SR.probe_ext found, with what reaches it and the SR that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, field, xenclass
from cardume.datamodel.roles import Role

if TYPE_CHECKING:
    from cardume.datamodel.sr_stat import SRStat


@xenclass(name="probe_result", role=Role.POOL_OPERATOR, events=False, stored=False)
class ProbeResult:
    """One place that SR.probe_ext found, with what reaches it and the SR that is there."""

    configuration: Mapping[str, str] = field(RO, "the device_config that reaches it, as far as known")
    complete: bool = field(RO, "true when an SR can be made or attached with the configuration as it stands")
    sr: SRStat | None = field(RO, "the SR that is there; none means that one could be made", None)
    extra_info: Mapping[str, str] = field(RO, "more about the place, for people who choose one")
