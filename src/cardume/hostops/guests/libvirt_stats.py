"""libvirt's bulk statistics as ours: whose domain it is and which card is which, looked up once and remembered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from cardume.hostops.guests.domain_view import card_names, view_of
from cardume.hostops.guests.guest_stats import DiskStats, GuestStats, NicStats

_DISK_LETTERS = "abcdefghijklmnop"


@dataclass(frozen=True, slots=True)
class RawStats:
    """One domain in the answer to a bulk call."""

    uuid: str
    domid: int
    facts: Mapping[str, Any]  # e.g. `vcpu.0.time`


@dataclass(frozen=True, slots=True)
class _Known:
    domid: int
    names: frozenset[str]  # of its cards on this host
    is_ours: bool
    devices: Mapping[str, str]  # the card's device number by its name on this host


class StatsDesk:
    """Turns bulk answers into guests' statistics. Used in one call at a time."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def take(self, raw: list[RawStats], xml_of: Callable[[str], str | None]) -> dict[str, GuestStats]:
        """Our guests' statistics. `xml_of` is asked for a domain that is new, or whose cards changed."""
        found: dict[str, GuestStats] = {}
        known: dict[str, _Known] = {}
        for each in raw:
            names = frozenset(str(name) for name in _each(each.facts, "net", "name").values())
            domain = self._known.get(each.uuid)
            if domain is None or domain.domid != each.domid or not names <= domain.names:
                xml = xml_of(each.uuid)
                if xml is None:
                    continue  # it ended meanwhile
                domain = _Known(each.domid, names, view_of(xml).ours, card_names(xml))
            known[each.uuid] = domain
            if domain.is_ours:
                found[each.uuid] = stats_of(each.facts, domain.devices)
        self._known = known
        return found


def stats_of(facts: Mapping[str, Any], cards: Mapping[str, str]) -> GuestStats:
    """One domain's statistics; `cards`: device numbers by the names that the host knows the cards by."""
    current = facts.get("balloon.current")
    free = facts.get("balloon.usable", facts.get("balloon.unused"))
    nics = {
        cards[name]: NicStats(
            facts.get(f"net.{index}.rx.bytes", 0),
            facts.get(f"net.{index}.rx.errs", 0),
            facts.get(f"net.{index}.tx.bytes", 0),
            facts.get(f"net.{index}.tx.errs", 0),
        )
        for index, name in _each(facts, "net", "name").items()
        if name in cards
    }
    disks = {
        str(_DISK_LETTERS.index(name[-1])): _disk(facts, index)
        for index, name in _each(facts, "block", "name").items()
        if name[-1] in _DISK_LETTERS and f"block.{index}.rd.bytes" in facts
    }
    vcpus = {
        number: int(facts[f"vcpu.{number}.time"])
        for number in range(int(facts.get("vcpu.maximum", 0)))
        if f"vcpu.{number}.time" in facts
    }
    return GuestStats(
        vcpus,
        None if current is None else int(current) * 1024,
        None if free is None else int(free) * 1024,
        disks,
        nics,
    )


def disks_of_nfs_guest(xml: str) -> tuple[str, ...]:
    """libvirt's names of a guest's disks when one of them is an image on an NFS server; none for any other guest.

    Asked for a disk's statistics in bulk, QEMU also asks the server how much the image takes. While the server is lost
    it waits for that with the guest standing still. Asked for the counters of one disk it does not.
    """
    if "protocol='nfs'" not in xml:
        return ()
    disks = ElementTree.fromstring(xml).iterfind("./devices/disk/target")
    return tuple(name for disk in disks if (name := disk.get("dev")))


class NfsGuests:
    """What `disks_of_nfs_guest` said of each guest, read once in its life, and again after its devices changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._changes = 0

    def disks(self, uuid: str, domid: int, xml: Callable[[], str]) -> tuple[str, ...]:
        """The names for a guest in its present life; `xml` is asked for when they are not known."""
        known = self._known.get(uuid)
        if known is not None and known[0] == domid:
            return known[1]
        changes = self._changes
        names = disks_of_nfs_guest(xml())
        if changes == self._changes:  # else this may be the XML from before
            self._known[uuid] = domid, names
        return names

    def forget(self, uuid: str) -> None:
        """Its devices change, or something was not as expected."""
        self._changes += 1
        self._known.pop(uuid, None)

    def keep_only(self, uuids: frozenset[str]) -> None:
        """Of the others nothing runs any more."""
        for uuid in self._known.keys() - uuids:
            del self._known[uuid]


def disk_facts(counters: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The counters of single disks by their names, as a bulk answer has them."""
    facts: dict[str, Any] = {"block.count": len(counters)}
    for index, (name, of) in enumerate(counters.items()):
        facts[f"block.{index}.name"] = name
        for there, here in _COUNTERS.items():
            if here in of:
                facts[f"block.{index}.{there}"] = of[here]
    return facts


_COUNTERS = {
    "rd.bytes": "rd_bytes",
    "rd.reqs": "rd_operations",
    "rd.times": "rd_total_times",
    "wr.bytes": "wr_bytes",
    "wr.reqs": "wr_operations",
    "wr.times": "wr_total_times",
}


def _disk(facts: Mapping[str, Any], index: int) -> DiskStats:
    def count(what: str) -> int:
        return int(facts.get(f"block.{index}.{what}", 0))

    return DiskStats(
        count("rd.bytes"),
        count("rd.reqs"),
        count("rd.times"),
        count("wr.bytes"),
        count("wr.reqs"),
        count("wr.times"),
    )


def _each(facts: Mapping[str, Any], group: str, what: str) -> dict[int, str]:
    """One fact of every member of a group, by its number there."""
    count = int(facts.get(f"{group}.count", 0))
    named = ((index, facts.get(f"{group}.{index}.{what}")) for index in range(count))
    return {index: str(name) for index, name in named if name is not None}
