"""When an administrator is told of a host: pure rules about time. Names and priorities are XenAPI's where known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from cardume.datamodel import api_messages
from cardume.datamodel.api_messages import Alert

LOST_S = 15.0
"""A daemon that starts anew, or a cable that is put back at once, is not worth a word."""

_EXPIRING = (
    (7, api_messages.HOST_SERVER_CERTIFICATE_EXPIRING_07),
    (14, api_messages.HOST_SERVER_CERTIFICATE_EXPIRING_14),
    (30, api_messages.HOST_SERVER_CERTIFICATE_EXPIRING_30),
)


@dataclass(slots=True)
class HostWatch:
    """Which hosts are there, and which were told of as lost."""

    _gone_since: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def look(self, present: Mapping[str, bool], now_s: float) -> list[tuple[Alert, str]]:
        """Given each host's uuid and whether it can be worked with: the alerts to raise, with the host's uuid."""
        alerts = []
        for uuid, is_there in present.items():
            if is_there:
                self._gone_since.pop(uuid, None)
                if uuid in self._told:
                    self._told.discard(uuid)
                    alerts.append((api_messages.HOST_ONLINE, uuid))
            elif now_s - self._gone_since.setdefault(uuid, now_s) >= LOST_S and uuid not in self._told:
                self._told.add(uuid)
                alerts.append((api_messages.HOST_OFFLINE, uuid))
        for uuid in self._gone_since.keys() - present.keys():
            del self._gone_since[uuid]  # it left the pool
            self._told.discard(uuid)
        return alerts


def certificate_alert(not_after: datetime, now: datetime) -> Alert | None:
    """The alert about a host's certificate that ends then; None while there is time."""
    left = not_after - now
    if left <= timedelta():
        return api_messages.HOST_SERVER_CERTIFICATE_EXPIRED
    return next((alert for days, alert in _EXPIRING if left <= timedelta(days=days)), None)


def body(**fields: str) -> str:
    """An alert's body in the form that XenAPI's clients parse."""
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    return f"<body>{inside}</body>"
