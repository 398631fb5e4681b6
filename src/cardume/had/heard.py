"""When this host last heard of each other one, on each channel: for people, who want to see a channel fail."""

from dataclasses import dataclass, field

from cardume.ha.effects import Notice


@dataclass(slots=True)
class Heard:
    """Times of the own clock. What counts for the rules is the core's; this is what people are shown."""

    _network_s: dict[tuple[int, int], float] = field(default_factory=dict)
    _disk_s: dict[int, float] = field(default_factory=dict)
    _newest: dict[int, tuple[int, int]] = field(default_factory=dict)

    def forget(self) -> None:
        """Nobody was heard of yet."""
        self._network_s.clear()
        self._disk_s.clear()
        self._newest.clear()

    def on_network(self, host: int, network: int, now_s: float) -> None:
        self._network_s[host, network] = now_s

    def on_disk(self, host: int, life: int, number: int, now_s: float) -> None:
        """A slot was read; it is news only when it is newer than the one before."""
        if (life, number) > self._newest.get(host, (0, 0)):
            self._newest[host] = (life, number)
            self._disk_s[host] = now_s

    def network_age_s(self, host: int, network: int, now_s: float) -> float | None:
        """How long ago a heartbeat of the host came over the network; None: never."""
        return _age(self._network_s.get((host, network)), now_s)

    def disk_age_s(self, host: int, now_s: float) -> float | None:
        """How long ago something new of the host was read from the statefile; None: never."""
        return _age(self._disk_s.get(host), now_s)

    def silence(self, host: int, now_s: float) -> dict[str, float | None]:
        """How long nothing new came of the host, by any network and by the statefile."""
        newest_s = max((at_s for (heard, _), at_s in self._network_s.items() if heard == host), default=None)
        return {"network_s": _age(newest_s, now_s), "statefile_s": self.disk_age_s(host, now_s)}


class Troubles:
    """Since when a channel was said to be slow or lost: how long it was, is told when it is well again."""

    def __init__(self) -> None:
        self._since_s: dict[tuple[str, int | None], float] = {}

    def note(self, notice: Notice, host: int | None, now_s: float) -> float | None:
        """Take in a note; how long what is over had lasted, None when nothing is over."""
        match notice:
            case Notice.STORAGE_BACK:
                began_s = self._since_s.pop(("own", host), None)
            case Notice.PEER_BACK:
                began_s = self._since_s.pop(("peer", host), None)
            case Notice.STORAGE_LOST:
                self._since_s.setdefault(("own", host), now_s)
                return None
            case Notice.PEER_QUIET | Notice.PEER_NETWORK_LOST | Notice.PEER_STORAGE_LOST:
                self._since_s.setdefault(("peer", host), now_s)
                return None
            case _:
                return None
        return _age(began_s, now_s)


def _age(then_s: float | None, now_s: float) -> float | None:
    return None if then_s is None else round(now_s - then_s, 2)
