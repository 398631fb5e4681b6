"""Needs a lab. Proves that its storage server offers what the course's does: the LUN, the ISO export, addresses."""

from cardume.lab.handle import LabHandle

LUN = "iscsi://10.148.1.10/iqn.2005-10.org.freenas.cttl:lun1/1"


def test_the_target_offers_one_lun_of_80_gib_by_its_serial(lab: LabHandle) -> None:
    assert "Target:iqn.2005-10.org.freenas.cttl:lun1 " in lab.exec("d1-g1", "iscsi-ls", "-s", "iscsi://10.148.1.10")
    assert "Total size:85899345920" in lab.exec("d1-g1", "iscsi-readcapacity16", LUN)
    assert "Vendor:FreeNAS" in lab.exec("d1-g1", "iscsi-inq", LUN)
    assert "080027f9441700]" in lab.exec("d1-g1", "iscsi-inq", "-e", "1", "-c", "128", LUN)


def test_what_one_host_writes_to_the_lun_the_other_reads(lab: LabHandle) -> None:
    lab.exec("d1-g1", "qemu-io", "-f", "raw", "-c", "write -P 0x5a 1M 64k", "-c", "flush", LUN)
    read = lab.exec("d2-g1", "qemu-io", "-f", "raw", "-c", "read -P 0x5a 1M 64k", LUN)
    assert "Pattern verification failed" not in read
    assert "read 65536/65536 bytes" in read


def test_the_iso_export_is_seen_by_hosts_and_refuses_writes(lab: LabHandle) -> None:
    lab.path("freenas", "/mnt/iso/seen.iso").write_bytes(b"x" * 2048)
    assert "seen.iso" in lab.exec("d1-g1", "nfs-ls", "nfs://10.148.1.10/mnt/iso")
    assert "seen.iso" in lab.exec("d2-g1", "nfs-ls", "nfs://10.148.1.10/mnt/iso?version=4")
    script = "nfs-cp /etc/hostname nfs://10.148.1.10/mnt/iso/refused || echo refused as it should"
    assert "refused as it should" in lab.exec("d1-g1", "sh", "-c", script)
    lab.path("freenas", "/mnt/iso/seen.iso").unlink()


def test_its_services_listen_on_the_storage_network_and_give_addresses_on_the_other(lab: LabHandle) -> None:
    listening = lab.exec("freenas", "ss", "-lntu")
    assert "10.148.1.10:3260" in listening
    assert "0.0.0.0%eth0:67" in listening
