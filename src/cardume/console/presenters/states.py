"""How an object is, as one word with a shape and a colour: state is never told by colour alone."""

from dataclasses import dataclass

from cardume.console.connections.cache import Record
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts


@dataclass(frozen=True, slots=True)
class Badge:
    """A state: its text, and the tone that picks shape and colour (`ok`, `warn`, `error`, `info`, `off`)."""

    text: str
    tone: str


_POWER = {"Running": "ok", "Halted": "off", "Suspended": "info", "Paused": "warn"}


def vm_state(vm: Record, t: Texts) -> Badge:
    """Whether a VM runs, or what is being done to it."""
    doing = next(iter(vm["current_operations"].values()), None)
    if doing and t.has(f"doing.{doing}"):
        return Badge(t(f"doing.{doing}"), "info")
    return Badge(t(f"power.{vm['power_state']}"), _POWER.get(vm["power_state"], "off"))


def as_told(source: Source, badge: Badge, t: Texts) -> Badge:
    """A state as it is known: of a pool that does not answer it is what was told last, and no good news."""
    return badge if source.connected else Badge(t("state.told_last", state=badge.text), "off")


def host_state(source: Source, host: Record, t: Texts) -> Badge:
    """Whether a host is there and takes VMs; what a lost pool told of that is not true any more."""
    if not source.connected:
        return Badge(t("pool.lost"), "error")
    if not source.is_live(host):
        return Badge(t("host.lost"), "error")
    return Badge(t("host.enabled"), "ok") if host["enabled"] else Badge(t("host.disabled"), "warn")


def sr_state(source: Source, sr: Record, t: Texts) -> Badge:
    """Whether every host reaches a repository."""
    pbds = source.pbds(sr)
    attached = sum(pbd["currently_attached"] for _, pbd in pbds)
    if not attached:
        return Badge(t("sr.detached"), "off")
    wanted = len(source.cache.all("host")) if sr["shared"] else 1
    return Badge(t("sr.ok"), "ok") if attached >= wanted else Badge(t("sr.broken"), "error")
