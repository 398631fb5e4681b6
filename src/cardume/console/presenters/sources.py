"""A pool as presenters know it: its objects, and how fresh they are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from cardume.console.connections.cache import NULL, Cache, Record

Usage = Mapping[str, Mapping[str, float]]
"""What was measured last, by uuid of a host or VM and name of the data source."""


@dataclass(frozen=True)
class Source:
    """One connection's pool."""

    cache: Cache
    server: str
    connected: bool = True
    failure: Exception | None = None  # why it is not connected
    told_at: float = 0.0
    usage: Usage = field(default_factory=dict)

    @property
    def pool(self) -> Record | None:
        return self.cache.pool

    @property
    def uuid(self) -> str:
        """The pool's uuid; empty before anything was told."""
        return str(self.pool["uuid"]) if self.pool else ""

    @property
    def is_standalone(self) -> bool:
        """True of a host without a pool, which XenAPI shows as a pool without a name."""
        return self.pool is not None and not self.pool["name_label"] and len(self.cache.all("host")) == 1

    @property
    def name(self) -> str:
        """The pool as people call it: a standalone host by its own name."""
        if self.pool is None:
            return self.server.removesuffix(":443")
        if self.pool["name_label"]:
            return str(self.pool["name_label"])
        master = self.cache.find("host", self.pool["master"])
        return str(master["name_label"]) if master else self.server

    def hosts(self) -> list[tuple[str, Record]]:
        """The hosts, by name."""
        return by_name(self.cache.all("host"))

    def vms(self) -> list[tuple[str, Record]]:
        """The VMs that people know: no templates, snapshots, control domains."""
        return by_name({ref: vm for ref, vm in self.cache.all("vm").items() if is_guest(vm)})

    def srs(self) -> list[tuple[str, Record]]:
        """The repositories, by name."""
        return by_name({ref: sr for ref, sr in self.cache.all("sr").items() if not sr["is_tools_sr"]})

    @cached_property
    def vms_by_home(self) -> Mapping[str, list[Record]]:
        """The VMs by the host that they belong to, in order; under NULL those that any host may take."""
        return _grouped((self.home_of(vm), vm) for _, vm in self.vms())

    @cached_property
    def srs_by_home(self) -> Mapping[str, list[tuple[str, Record]]]:
        """The repositories by the one host that reaches them; under NULL the shared ones."""
        return _grouped((self.host_of(sr), (ref, sr)) for ref, sr in self.srs())

    def pbds(self, sr: Record) -> list[tuple[str, Record]]:
        """How hosts reach a repository."""
        return list(self.cache.each("pbd", sr["PBDs"]))

    def disks(self, vm: Record) -> Iterator[tuple[Record, Record | None]]:
        """The drives of a VM, each with the disk in it, by position."""
        for _, vbd, vdi in self.drives(vm):
            yield vbd, vdi

    def drives(self, vm: Record) -> Iterator[tuple[str, Record, Record | None]]:
        """The same with the drives' references."""
        found = self.cache.each("vbd", vm["VBDs"])
        for ref, vbd in sorted(found, key=lambda pair: (len(pair[1]["userdevice"]), pair[1]["userdevice"])):
            yield ref, vbd, self.cache.find("vdi", vbd["VDI"])

    def home_of(self, vm: Record) -> str:
        """The host that a VM belongs to: it runs there, or can only run there; NULL when any may take it."""
        if vm["resident_on"] != NULL:
            return str(vm["resident_on"])
        for _, vdi in self.disks(vm):
            sr = self.cache.find("sr", vdi["SR"]) if vdi else None
            if sr is not None and not sr["shared"] and sr["content_type"] != "iso":
                return self.host_of(sr)
        return NULL

    def host_of(self, sr: Record) -> str:
        """The one host that reaches a local repository; NULL of a shared one."""
        pbds = self.pbds(sr)
        return str(pbds[0][1]["host"]) if not sr["shared"] and pbds else NULL

    def host_that_measures(self, cls: str, uuid: str) -> Record | None:
        """The host whose measurements hold those of an object: itself, or where a VM is; the master for others."""
        ref = self.cache.find_ref(cls, uuid)
        record = self.cache.find(cls, ref) if ref else None
        if record is None or self.pool is None:
            return None
        if cls == "host":
            return record
        return self.cache.find("host", record["resident_on"]) or self.cache.find("host", self.pool["master"])

    def name_of(self, sr: Record) -> str:
        """A repository among others of its pool: a local one with its host, as every host has one of that name."""
        host = self.cache.find("host", self.host_of(sr))
        return (
            f"{sr['name_label']} ({host['name_label']})" if host and not self.is_standalone else str(sr["name_label"])
        )

    def is_live(self, host: Record) -> bool:
        """True when the pool hears from the host."""
        metrics = self.cache.find("host_metrics", host["metrics"])
        return bool(metrics and metrics["live"])

    def is_master(self, host_ref: str) -> bool:
        return self.pool is not None and self.pool["master"] == host_ref

    def measured(self, uuid: str, name: str) -> float | None:
        """The newest value of a data source, when it is known."""
        value = self.usage.get(uuid, {}).get(name)
        return value if value is not None and value == value else None


Item = TypeVar("Item")


def _grouped(pairs: Iterable[tuple[str, Item]]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = {}
    for key, item in pairs:
        groups.setdefault(key, []).append(item)
    return groups


def is_guest(vm: Record) -> bool:
    """True of a VM that people know as one."""
    return not (vm["is_a_template"] or vm["is_a_snapshot"] or vm["is_control_domain"])


def by_name(records: Mapping[str, Record]) -> list[tuple[str, Record]]:
    """Records in the order that people expect."""
    return sorted(records.items(), key=lambda pair: (str(pair[1]["name_label"]).casefold(), pair[1]["uuid"]))
