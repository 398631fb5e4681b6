"""What is measured of a host and of a guest, under the names that XenAPI's clients expect."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from cardume.core.devices import device_name
from cardume.core.rrd import Kind, Reading, Source
from cardume.hostops.guests.guest_stats import DiskStats, GuestStats
from cardume.hostops.metrics.disk_book import DisksNow, RepositoryUse, Waits
from cardume.hostops.metrics.host_stats import CardStats, HostStats

MIB = 1 << 20
NS = 1e9

_ETH = re.compile(r"eth\d+")

CPU_AVG = Source("cpu_avg", "Share of time that the processors are busy", "(fraction)", Kind.DERIVE, most=1.0)
MEMORY_TOTAL = Source("memory_total_kib", "Memory of the host", "KiB")
MEMORY_FREE = Source("memory_free_kib", "Memory that could be had without swapping", "KiB")
LOAD = Source("loadavg", "Average load of the last minute", "(fraction)")
RUNNING_VCPUS = Source("running_vcpus", "Virtual processors of the guests here", "count")
RUNNING_DOMAINS = Source("running_domains", "Guests here", "count")

CPU_USAGE = Source("cpu_usage", "Share of time that the virtual processors run", "(fraction)", Kind.DERIVE, most=1.0)
MEMORY = Source("memory", "Memory of the guest", "B")
MEMORY_TARGET = Source("memory_target", "Memory that the guest is to have", "B")
MEMORY_INTERNAL_FREE = Source("memory_internal_free", "Free memory as the guest says", "KiB")


def host_readings(host: HostStats, guests: Mapping[str, GuestStats] | None, disks: DisksNow) -> Iterator[Reading]:
    """What was read of a host; `guests`: None when libvirt did not tell."""
    for number, busy_s in host.cpu_s.items():
        yield Reading(_cpu(number), busy_s)
    if host.cpu_s:
        yield Reading(CPU_AVG, sum(host.cpu_s.values()) / len(host.cpu_s))
    yield Reading(MEMORY_TOTAL, host.memory.total_bytes / 1024)
    yield Reading(MEMORY_FREE, host.memory.free_bytes / 1024)
    yield Reading(LOAD, host.load)
    if guests is not None:
        yield Reading(RUNNING_VCPUS, sum(len(guest.vcpu_ns) for guest in guests.values()))
        yield Reading(RUNNING_DOMAINS, len(guests))
    names = short_names(tuple(host.cards))
    for device, card in host.cards.items():
        yield from _card(_pif(names[device], device), card)
    received, sent = _pif("aggr", "all cards")[:2]
    yield Reading(received, sum(card.received_bytes for card in host.cards.values()))
    yield Reading(sent, sum(card.sent_bytes for card in host.cards.values()))
    for sr, use in disks.repositories.items():
        yield from _repository(sr, use)


def guest_readings(uuid: str, guest: GuestStats, disks: DisksNow) -> Iterator[Reading]:
    """What was read of a guest."""
    for number, run_ns in guest.vcpu_ns.items():
        yield Reading(_cpu(number), run_ns / NS)
    if guest.vcpu_ns:
        yield Reading(CPU_USAGE, sum(guest.vcpu_ns.values()) / len(guest.vcpu_ns) / NS)
    if guest.memory_bytes is not None:
        yield Reading(MEMORY, guest.memory_bytes)
        yield Reading(MEMORY_TARGET, guest.memory_bytes)
    if guest.memory_free_bytes is not None:
        yield Reading(MEMORY_INTERNAL_FREE, guest.memory_free_bytes / 1024)
    for device, nic in guest.nics.items():
        traffic = CardStats(nic.received_bytes, nic.receive_errors, nic.sent_bytes, nic.send_errors)
        yield from _card(_vif(device), traffic)
    for device, stats in guest.disks.items():
        yield from _disk(device, stats, disks.waits.get((uuid, device)))


@cache
def short_names(devices: Sequence[str]) -> Mapping[str, str]:
    """What clients call cards: those of other names than `eth…` get the free numbers, in the order that they came.

    Xen Orchestra and XenCenter draw nothing of a card of another name.
    """
    names = {device: device for device in devices if _ETH.fullmatch(device)}
    free = (f"eth{number}" for number in range(2 * len(devices)) if f"eth{number}" not in names)
    return names | {device: next(free) for device in devices if device not in names}


@cache
def _cpu(number: int) -> Source:
    return Source(f"cpu{number}", f"Share of time that processor {number} is busy", "(fraction)", Kind.DERIVE, most=1.0)


@cache
def _pif(name: str, device: str) -> tuple[Source, ...]:
    return _traffic(f"pif_{name}", f"on {device}")


@cache
def _vif(device: str) -> tuple[Source, ...]:
    return _traffic(f"vif_{device}", f"by card {device}")


def _traffic(prefix: str, where: str) -> tuple[Source, ...]:
    return (
        Source(f"{prefix}_rx", f"Bytes received {where}", "B/s", Kind.DERIVE),
        Source(f"{prefix}_tx", f"Bytes sent {where}", "B/s", Kind.DERIVE),
        Source(f"{prefix}_rx_errors", f"Errors in receiving {where}", "err/s", Kind.DERIVE, standard=False),
        Source(f"{prefix}_tx_errors", f"Errors in sending {where}", "err/s", Kind.DERIVE, standard=False),
    )


def _card(sources: tuple[Source, ...], card: CardStats) -> Iterator[Reading]:
    counts = (card.received_bytes, card.sent_bytes, card.receive_errors, card.send_errors)
    yield from map(Reading, sources, counts)


@cache
def _vbd(userdevice: str) -> tuple[Source, ...]:
    device = device_name(userdevice)
    name, of = f"vbd_{device}", f"of {device}"
    return (
        Source(f"{name}_read", f"Bytes read {of}", "B/s", Kind.DERIVE),
        Source(f"{name}_write", f"Bytes written {of}", "B/s", Kind.DERIVE),
        Source(f"{name}_iops_read", f"Reads {of}", "requests/s", Kind.DERIVE),
        Source(f"{name}_iops_write", f"Writes {of}", "requests/s", Kind.DERIVE),
        Source(f"{name}_iops_total", f"Requests {of}", "requests/s", Kind.DERIVE, standard=False),
        Source(f"{name}_io_throughput_read", f"Data read {of}", "MiB/s", Kind.DERIVE, standard=False),
        Source(f"{name}_io_throughput_write", f"Data written {of}", "MiB/s", Kind.DERIVE, standard=False),
        Source(f"{name}_io_throughput_total", f"Data read and written {of}", "MiB/s", Kind.DERIVE, standard=False),
        Source(f"{name}_read_latency", f"What a read {of} takes", "μs"),
        Source(f"{name}_write_latency", f"What a write {of} takes", "μs"),
        Source(f"{name}_latency", f"What a request {of} takes", "μs", standard=False),
    )


@cache
def _sr(uuid: str) -> tuple[Source, ...]:
    short, of = uuid[:8], f"of this host's guests, SR {uuid}"
    return (
        Source(f"read_{short}", f"Bytes read {of}", "B/s", Kind.DERIVE, standard=False),
        Source(f"write_{short}", f"Bytes written {of}", "B/s", Kind.DERIVE, standard=False),
        Source(f"iops_read_{short}", f"Reads {of}", "requests/s", Kind.DERIVE),
        Source(f"iops_write_{short}", f"Writes {of}", "requests/s", Kind.DERIVE),
        Source(f"iops_total_{short}", f"Requests {of}", "requests/s", Kind.DERIVE),
        Source(f"io_throughput_read_{short}", f"Data read {of}", "MiB/s", Kind.DERIVE),
        Source(f"io_throughput_write_{short}", f"Data written {of}", "MiB/s", Kind.DERIVE),
        Source(f"io_throughput_total_{short}", f"Data read and written {of}", "MiB/s", Kind.DERIVE),
        Source(f"read_latency_{short}", f"What a read takes {of}", "μs"),
        Source(f"write_latency_{short}", f"What a write takes {of}", "μs"),
        Source(f"latency_{short}", f"What a request takes {of}", "μs"),
    )


def _disk(userdevice: str, stats: DiskStats, waits: Waits | None) -> Iterator[Reading]:
    return _requests(_vbd(userdevice), stats, waits)


def _repository(sr: str, use: RepositoryUse) -> Iterator[Reading]:
    return _requests(_sr(sr), use.total, use.waits)


def _requests(sources: tuple[Source, ...], stats: DiskStats, waits: Waits | None) -> Iterator[Reading]:
    """Readings for the sources of `_vbd` and `_sr`, in their order."""
    counts = (
        stats.read_bytes,
        stats.written_bytes,
        stats.read_requests,
        stats.write_requests,
        stats.read_requests + stats.write_requests,
        stats.read_bytes / MIB,
        stats.written_bytes / MIB,
        (stats.read_bytes + stats.written_bytes) / MIB,
    )
    yield from map(Reading, sources, counts)
    if waits is not None:
        for source, value in zip(sources[-3:], (waits.read_us, waits.write_us, waits.all_us), strict=True):
            if value is not None:
                yield Reading(source, value)
