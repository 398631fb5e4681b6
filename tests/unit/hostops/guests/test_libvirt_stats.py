"""Whose disks are asked for one by one, and that their counters then read as those of a bulk answer."""

from cardume.hostops.guests.guest_stats import DiskStats
from cardume.hostops.guests.libvirt_stats import disk_facts, disks_of_nfs_guest, stats_of

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
