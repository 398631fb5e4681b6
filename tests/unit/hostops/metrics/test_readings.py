"""What is read of hosts and guests: names that clients expect, values as they were counted."""

from pathlib import Path

import pytest

from cardume.hostops.guests.device_xml import NIC_ALIAS
from cardume.hostops.guests.domain_xml import METADATA_NAMESPACE
from cardume.hostops.guests.guest_stats import DiskStats, GuestStats, NicStats
from cardume.hostops.guests.libvirt_stats import RawStats, StatsDesk, stats_of
from cardume.hostops.host_parsers import Memory
from cardume.hostops.metrics.disk_book import DiskBook, DisksNow
from cardume.hostops.metrics.host_stats import CardStats, HostStats, busy_seconds, read_host_stats
from cardume.hostops.metrics.readings import guest_readings, host_readings, short_names

STAT = """cpu  300 20 100 5000 70 5 5 0 40 0
cpu0 100 10 50 2500 30 5 0 0 40 0
cpu1 200 10 50 2500 40 0 5 7 0 0
intr 1 2 3
ctxt 5
"""

SR = "12ab34cd-0000-4000-8000-000000000000"

DOMAIN = f"""<domain><vcpu>2</vcpu><metadata>{{mark}}</metadata><devices>
<interface type='bridge'><target dev='vnet7'/><alias name='{NIC_ALIAS}1'/></interface>
<interface type='bridge'><target dev='vnet3'/><alias name='{NIC_ALIAS}0'/></interface>
</devices></domain>"""

FACTS = {
    "balloon.current": 131072,
    "balloon.unused": 4000,
    "balloon.usable": 5000,
    "vcpu.current": 2,
    "vcpu.maximum": 4,
    "vcpu.0.time": 7_000_000_000,
    "vcpu.1.time": 1_000_000_000,
    "net.count": 2,
    "net.0.name": "vnet7",
    "net.0.rx.bytes": 1,
    "net.0.tx.bytes": 2,
    "net.1.name": "vnet3",
    "net.1.rx.bytes": 3,
    "net.1.rx.errs": 4,
    "block.count": 2,
    "block.0.name": "vda",
    "block.0.rd.bytes": 4096,
    "block.0.rd.reqs": 2,
    "block.0.rd.times": 3000,
    "block.0.wr.bytes": 512,
    "block.0.wr.reqs": 1,
    "block.0.wr.times": 500,
    "block.1.name": "sdd",
    "block.1.rd.bytes": 0,
}


def test_a_processor_is_busy_but_when_it_is_idle_or_waits_for_a_disk() -> None:
    assert busy_seconds(STAT, 100) == {0: 1.65, 1: 2.72}


def test_the_host_is_read_from_its_files(tmp_path: Path) -> None:
    for name, text in (
        ("stat", STAT),
        ("meminfo", "MemTotal: 2048 kB\nMemAvailable: 1024 kB\n"),
        ("loadavg", "0.50 1 2 3/4 5\n"),
    ):
        (tmp_path / name).write_text(text)
    counters = tmp_path / "eth0" / "statistics"
    counters.mkdir(parents=True)
    for name, count in (("rx_bytes", 1), ("rx_errors", 2), ("tx_bytes", 3), ("tx_errors", 4)):
        (counters / name).write_text(f"{count}\n")
    stats = read_host_stats(["eth0", "gone"], tmp_path, tmp_path)
    assert (stats.memory, stats.load, stats.cards) == (Memory(2 << 20, 1 << 20), 0.5, {"eth0": CardStats(1, 2, 3, 4)})
    assert set(stats.cpu_s) == {0, 1}


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        (("eth0", "eth1"), {"eth0": "eth0", "eth1": "eth1"}),
        (("enp1s0", "enp2s0"), {"enp1s0": "eth0", "enp2s0": "eth1"}),
        (("enp1s0", "eth0", "eth5"), {"eth0": "eth0", "eth5": "eth5", "enp1s0": "eth1"}),
        ((), {}),
    ],
)
def test_cards_have_the_names_that_clients_draw(devices: tuple[str, ...], expected: dict[str, str]) -> None:
    assert short_names(devices) == expected


def test_a_hosts_readings() -> None:
    host = HostStats({0: 2.0, 1: 4.0}, Memory(2 << 20, 1 << 20), 0.5, {"enp1s0": CardStats(10, 1, 20, 2)})
    told = {reading.source.name: reading.value for reading in host_readings(host, {"a": GuestStats({0: 1})}, NO_DISKS)}
    assert told == {
        "cpu0": 2,
        "cpu1": 4,
        "cpu_avg": 3,
        "memory_total_kib": 2048,
        "memory_free_kib": 1024,
        "loadavg": 0.5,
        "running_vcpus": 1,
        "running_domains": 1,
        "pif_eth0_rx": 10,
        "pif_eth0_tx": 20,
        "pif_eth0_rx_errors": 1,
        "pif_eth0_tx_errors": 2,
        "pif_aggr_rx": 10,
        "pif_aggr_tx": 20,
    }


NO_DISKS = DisksNow({}, {})


def test_how_many_guests_run_is_not_told_when_libvirt_did_not() -> None:
    host = HostStats({}, Memory(1, 1), 0, {})
    assert not {reading.source.name for reading in host_readings(host, None, NO_DISKS)} & {
        "running_vcpus",
        "running_domains",
    }


def test_a_guests_readings() -> None:
    guest = stats_of(FACTS, {"vnet7": "1", "vnet3": "0"})
    told = {reading.source.name: reading.value for reading in guest_readings("a", guest, NO_DISKS)}
    assert {name: told[name] for name in told if not name.startswith(("vbd", "vif"))} == {
        "cpu0": 7,
        "cpu1": 1,
        "cpu_usage": 4,
        "memory": 128 << 20,
        "memory_target": 128 << 20,
        "memory_internal_free": 5000,
    }
    assert (told["vif_0_rx"], told["vif_0_rx_errors"], told["vif_1_rx"], told["vif_1_tx"]) == (3, 4, 1, 2)
    assert (told["vbd_xvda_read"], told["vbd_xvda_write"]) == (4096, 512)
    assert (told["vbd_xvda_iops_read"], told["vbd_xvda_iops_total"], told["vbd_xvdd_read"]) == (2, 3, 0)


def test_a_guest_without_a_word_of_its_own_has_no_free_memory() -> None:
    guest = stats_of({"balloon.current": 1024, "vcpu.maximum": 1, "vcpu.0.time": 5}, {})
    names = [reading.source.name for reading in guest_readings("a", guest, NO_DISKS)]
    assert names == ["cpu0", "cpu_usage", "memory", "memory_target"]


def test_a_domain_that_was_too_busy_to_tell_is_there_without_numbers() -> None:
    assert stats_of({}, {}) == GuestStats()


def test_foreign_domains_are_left_out_and_xml_is_asked_for_once_and_when_cards_change() -> None:
    xml = DOMAIN.format(mark=f"<c:guest xmlns:c='{METADATA_NAMESPACE}'/>")
    asked: list[str] = []

    def xml_of(uuid: str) -> str | None:
        asked.append(uuid)
        return {"ours": xml, "foreign": DOMAIN.format(mark="")}.get(uuid)

    desk = StatsDesk()
    raw = [RawStats("ours", 1, FACTS), RawStats("foreign", 2, FACTS), RawStats("gone", 3, FACTS)]
    found = desk.take(raw, xml_of)
    assert set(found) == {"ours"}
    assert found["ours"].nics == {"1": NicStats(1, 0, 2, 0), "0": NicStats(3, 4, 0, 0)}
    assert desk.take(raw[:2], xml_of) == found
    assert asked == ["ours", "foreign", "gone"]

    desk.take([RawStats("ours", 9, FACTS)], xml_of)  # it was started anew
    more = {**FACTS, "net.count": 3, "net.2.name": "vnet9"}
    desk.take([RawStats("ours", 9, more)], xml_of)
    assert asked[3:] == ["ours", "ours"]


def used(reads: int, writes: int = 0) -> GuestStats:
    return GuestStats(
        disks={"0": DiskStats(reads * 4096, reads, reads * 2_000_000, writes * 512, writes, writes * 1000)}
    )


def test_the_first_look_at_a_disk_tells_nothing() -> None:
    assert DiskBook().look({"a": used(5)}, {}) == NO_DISKS


def test_what_a_request_took_is_told_when_there_was_one() -> None:
    book = DiskBook()
    book.look({"a": used(5)}, {})
    waits = book.look({"a": used(7)}, {}).waits["a", "0"]
    assert (waits.read_us, waits.write_us, waits.all_us) == (2000, None, 2000)


def test_a_repository_is_the_sum_of_its_disks_and_does_not_fall_when_one_goes() -> None:
    book, seats = DiskBook(), {"a": {"0": SR}, "b": {"0": SR}}
    book.look({"a": used(100), "b": used(50)}, seats)
    now = book.look({"a": used(103), "b": used(51)}, seats).repositories[SR]
    assert now.total.read_requests == 4
    now = book.look({"a": used(105)}, seats).repositories[SR]
    assert now.total.read_requests == 6
    now = book.look({"a": used(105), "b": used(1)}, seats).repositories[SR]  # b was started anew
    assert now.total.read_requests == 6
    assert now.waits.all_us is None


def test_counters_that_began_anew_are_no_change() -> None:
    book = DiskBook()
    book.look({"a": used(100)}, {"a": {"0": SR}})
    now = book.look({"a": used(3)}, {"a": {"0": SR}})
    assert now.waits == {}
    assert now.repositories[SR].total == DiskStats()


def test_a_hosts_readings_name_repositories_by_eight_letters() -> None:
    book, seats = DiskBook(), {"a": {"0": SR}}
    book.look({"a": used(1)}, seats)
    disks = book.look({"a": used(3, 2)}, seats)
    host = HostStats({}, Memory(1, 1), 0, {})
    told = {reading.source.name: reading.value for reading in host_readings(host, None, disks)}
    assert told["read_12ab34cd"] == 8192
    assert told["iops_total_12ab34cd"] == 4
    assert told["io_throughput_read_12ab34cd"] == 8192 / 2**20
    assert (told["read_latency_12ab34cd"], told["write_latency_12ab34cd"]) == (2000, 1)
