"""Whose disks are asked for one by one, and that their counters then read as those of a bulk answer."""

from cardume.hostops.guests.guest_stats import DiskStats
from cardume.hostops.guests.libvirt_stats import NfsGuests, disk_facts, disks_of_nfs_guest, stats_of

XML = """<domain type='kvm'><devices>
  <disk type='network' device='disk'><source protocol='{protocol}' name='/mnt/vdi/a.qcow2'/><target dev='vda'/></disk>
  <disk type='file' device='cdrom'><target dev='sdd'/></disk>
</devices></domain>"""


def test_a_guest_with_a_disk_on_nfs_is_asked_for_each_of_its_disks() -> None:
    assert disks_of_nfs_guest(XML.format(protocol="nfs")) == ("vda", "sdd")
    assert disks_of_nfs_guest(XML.format(protocol="iscsi")) == ()


def test_counters_that_were_asked_for_one_by_one_read_as_those_of_a_bulk_answer() -> None:
    counters = {
        "rd_bytes": 1,
        "rd_operations": 2,
        "rd_total_times": 3,
        "wr_bytes": 4,
        "wr_operations": 5,
        "wr_total_times": 6,
        "flush_operations": 7,
    }
    stats = stats_of(disk_facts({"vda": counters, "sdd": {"rd_bytes": 8}}), {})
    assert stats.disks == {"0": DiskStats(1, 2, 3, 4, 5, 6), "3": DiskStats(8)}


def test_which_guests_are_on_nfs_is_read_once_in_a_guests_life() -> None:
    guests, read = NfsGuests(), []

    def xml() -> str:
        read.append(1)
        return XML.format(protocol="nfs")

    assert [guests.disks("a", 1, xml) for _ in range(3)] == [("vda", "sdd")] * 3
    assert len(read) == 1
    guests.disks("a", 2, xml)
    assert len(read) == 2, "it was started anew"
    guests.forget("a")
    guests.disks("a", 2, xml)
    assert len(read) == 3, "its devices changed"
    guests.keep_only(frozenset())
    guests.disks("a", 2, xml)
    assert len(read) == 4


def test_an_xml_that_was_read_while_devices_changed_is_not_kept() -> None:
    guests = NfsGuests()

    def old_xml() -> str:
        guests.forget("a")
        return XML.format(protocol="iscsi")

    assert guests.disks("a", 1, old_xml) == ()
    assert guests.disks("a", 1, lambda: XML.format(protocol="nfs")) == ("vda", "sdd")
