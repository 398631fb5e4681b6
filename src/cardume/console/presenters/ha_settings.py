"""What high availability is set to: VMs with priority, order and delay, failures tolerated; and how to get there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cardume.console.connections.cache import NULL, Record
from cardume.console.presenters.refusals import explain, explain_failure
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts

RESTART, BEST_EFFORT, NOTHING = "restart", "best-effort", ""
PRIORITIES = (RESTART, BEST_EFFORT, NOTHING)
PROFILES = ("fast", "standard", "lab")
LONGEST_DELAY_S = 3600
HIGHEST_ORDER = 1000


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a VM when its host is lost."""

    priority: str = NOTHING
    order: int = 0
    start_delay_s: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """All of a pool's VMs, by reference, and how many lost hosts are to be made up for."""

    wishes: Mapping[str, Wish]
    tolerated: int = 0

    def count(self, priority: str) -> int:
        """How many VMs have a priority."""
        return sum(wish.priority == priority for wish in self.wishes.values())


@dataclass(frozen=True, slots=True)
class Step:
    """Messages to be sent one after the other, and the `xe` command that they are."""

    command: str
    messages: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True, slots=True)
class HeartbeatSR:
    """A shared repository: whether it can hold the statefile, or why not."""

    ref: str
    name: str
    note: str
    why_not: str = ""


def present(source: Source) -> Settings:
    """What is set now."""
    wishes = {
        ref: Wish(str(vm["ha_restart_priority"]), int(vm["order"]), int(vm["start_delay"])) for ref, vm in source.vms()
    }
    return Settings(wishes, int(source.pool["ha_host_failures_to_tolerate"]) if source.pool else 0)


def proposed(now: Settings, listed: Collection[str], why_not_agile: Mapping[str, str]) -> Settings:
    """What to begin with: what is set, else what XenServer proposes, which is to restart every agile VM.

    listed: the VMs that are shown and were asked whether they are agile; the others keep what is set.
    """
    if any(wish.priority for wish in now.wishes.values()):
        return now
    wishes = {
        ref: replace(wish, priority=BEST_EFFORT if why_not_agile.get(ref) else RESTART) if ref in listed else wish
        for ref, wish in now.wishes.items()
    }
    return Settings(wishes, now.tolerated)


def as_values(settings: Settings, listed: Collection[str]) -> dict[str, Any]:
    """The settings as a browser keeps them, of the VMs that are shown alone."""
    wishes = {
        ref: [wish.priority, wish.order, wish.start_delay_s] for ref, wish in settings.wishes.items() if ref in listed
    }
    return {"wishes": wishes, "tolerated": settings.tolerated}


def from_values(now: Settings, listed: Collection[str], values: Mapping[str, Any]) -> Settings:
    """What is set now with what a browser kept of the VMs that are shown."""
    kept, tolerated = values.get("wishes"), values.get("tolerated")
    wishes = dict(now.wishes)
    for ref, one in kept.items() if isinstance(kept, dict) else ():
        match one:
            case [str(priority), int(order), int(delay_s)] if (
                ref in wishes and ref in listed and priority in PRIORITIES
            ):
                wishes[ref] = Wish(priority, order, delay_s)
    return Settings(wishes, tolerated if type(tolerated) is int and tolerated >= 0 else now.tolerated)


def shared_srs(source: Source) -> list[tuple[str, Record]]:
    """The repositories that can be asked whether they hold a statefile."""
    return [(ref, sr) for ref, sr in source.srs() if sr["shared"]]


def heartbeat_sr(source: Source, ref: str, sr: Record, refusal: Exception | None, t: Texts) -> HeartbeatSR:
    """A repository with what its server answered to whether it can hold the statefile."""
    free = t.size(max(float(sr["physical_size"]) - float(sr["physical_utilisation"]), 0))
    why = "" if refusal is None else _why_no_statefile(source, sr, refusal, t)
    return HeartbeatSR(ref, source.name_of(sr), t("ha.sr_free", free=free), why)


def _why_no_statefile(source: Source, sr: Record, refusal: Exception, t: Texts) -> str:
    code = getattr(refusal, "code", "")
    if sr["content_type"] == "iso":
        return t("ha.no_statefile.iso")
    if code == "SR_NOT_ATTACHED":
        reached = {pbd["host"] for _, pbd in source.pbds(sr) if pbd["currently_attached"]}
        missing = [host["name_label"] for ref, host in source.hosts() if ref not in reached]
        return t("ha.no_statefile.SR_NOT_ATTACHED", hosts=", ".join(missing))
    key = f"ha.no_statefile.{code}"
    return t(key) if t.has(key) else explain_failure(refusal, t)


def why_not_agile(source: Source, vm: Record, details: Sequence[str], t: Texts) -> str:
    """A refusal of `VM.assert_agile` with the name of what stands in the way."""
    code, *given = details
    if code == "HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED" and given:
        sr = source.cache.find("sr", given[0])
        disks = [vdi["name_label"] for _, vdi in source.disks(vm) if vdi and vdi["SR"] == given[0]]
        if sr is not None:
            key = "ha.not_agile.unplugged" if sr["shared"] else "ha.not_agile.sr"
            return t(key, disk=", ".join(disks) or "?", sr=source.name_of(sr))
    if code == "HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED" and given:
        network = source.cache.find("network", given[0])
        if network is not None:
            return t("ha.not_agile.network", network=network["name_label"])
    return explain(details, t)


def steps(source: Source, before: Settings, after: Settings) -> list[Step]:
    """From what is set to what is wanted, in an order in which no step breaks a plan that the last one keeps."""
    pool = source.pool
    if pool is None:
        return []
    # A VM that was deleted meanwhile is in what is wanted alone.
    changed = [ref for ref, wish in after.wishes.items() if ref in before.wishes and wish != before.wishes[ref]]

    def turn(ref: str) -> int:
        was, wish = before.wishes[ref].priority, after.wishes[ref].priority
        return 0 if was == RESTART != wish else 2 if was != RESTART == wish else 1

    listed = [_of_vm(source, ref, before.wishes[ref], after.wishes[ref]) for ref in sorted(changed, key=turn)]
    if after.tolerated != before.tolerated:
        command = f"xe pool-param-set uuid={pool['uuid']} ha-host-failures-to-tolerate={after.tolerated}"
        (ref,) = source.cache.all("pool")
        step = Step(command, (("pool.set_ha_host_failures_to_tolerate", (ref, after.tolerated)),))
        listed.insert(0 if after.tolerated < before.tolerated else len(listed), step)
    return listed


def _of_vm(source: Source, ref: str, was: Wish, wish: Wish) -> Step:
    vm = source.cache.find("vm", ref)
    words, messages = [f"xe vm-param-set uuid={vm['uuid'] if vm else ''}"], []
    for field, name, old, new in (
        ("order", "order", was.order, wish.order),
        ("start_delay", "start-delay", was.start_delay_s, wish.start_delay_s),
        ("ha_restart_priority", "ha-restart-priority", was.priority, wish.priority),
    ):
        if old != new:
            words.append(f"{name}={new}")
            messages.append((f"VM.set_{field}", (ref, new)))
    return Step(" ".join(words), tuple(messages))


def knows_profiles(source: Source) -> bool:
    """True of Cardume's own pools; XenServer's have one set of times."""
    master = source.cache.find("host", source.pool["master"]) if source.pool else None
    return master is not None and "Cardume" in str(master["software_version"].get("product_version_text", ""))


def enabling(source: Source, sr: str, profile: str) -> Step:
    """High availability switched on, with its statefile on a repository."""
    record = source.cache.find("sr", sr)
    configuration = {"profile": profile} if profile else {}
    words = f" ha-config:profile={profile}" if profile else ""
    command = f"xe pool-ha-enable heartbeat-sr-uuids={record['uuid'] if record else ''}{words}"
    return Step(command, (("pool.enable_ha", ([sr], configuration)),))


def why_not_configurable(source: Source, t: Texts) -> str:
    """Why high availability cannot be configured now; empty when it can."""
    if len(source.cache.all("host")) < 2:
        return t("why.ha_one_host")
    busy = next(iter((source.pool or {}).get("current_operations", {}).values()), "")
    if busy in ("ha_enable", "ha_disable"):
        return t(f"why.{busy}")
    return ""


def before_enabling(source: Source, t: Texts) -> list[str]:
    """What keeps high availability from being switched on, or speaks against it: shown before the first step."""
    found = [t("ha.host_away", host=host["name_label"]) for _, host in source.hosts() if not source.is_live(host)]
    for _, sr in shared_srs(source):
        missing = len(source.cache.all("host")) - sum(pbd["currently_attached"] for _, pbd in source.pbds(sr))
        if missing > 0:
            found.append(t("ha.sr_broken", sr=source.name_of(sr), n=missing))
    return found


def heartbeat_srs_now(source: Source) -> list[Record]:
    """The repositories that hold the statefile of now."""
    pool = source.pool
    vdis = [vdi for _, vdi in source.cache.each("vdi", pool["ha_statefiles"])] if pool else []
    return [sr for vdi in vdis if vdi["SR"] != NULL and (sr := source.cache.find("sr", vdi["SR"])) is not None]
