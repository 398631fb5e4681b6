"""Needs a lab. Proves that its storage server offers what the course's does: the LUN, the ISO export, addresses."""

from cardume.lab.handle import LabHandle
from cardume.lab.layout import Network


def storage(lab: LabHandle) -> str:
    """The storage server's address where it serves."""
    return lab.address("freenas", Network.STORAGE)


def lun(lab: LabHandle) -> str:
    return f"iscsi://{storage(lab)}/iqn.2005-10.org.freenas.cttl:lun1/1"


def test_the_target_offers_one_lun_of_80_gib_by_its_serial(lab: LabHandle) -> None:
    assert "Target:iqn.2005-10.org.freenas.cttl:lun1 " in lab.exec("d1-g1", "iscsi-ls", "-s", f"iscsi://{storage(lab)}")
    assert "Total size:85899345920" in lab.exec("d1-g1", "iscsi-readcapacity16", lun(lab))
    assert "Vendor:FreeNAS" in lab.exec("d1-g1", "iscsi-inq", lun(lab))
    assert "080027f9441700]" in lab.exec("d1-g1", "iscsi-inq", "-e", "1", "-c", "128", lun(lab))


def test_what_one_host_writes_to_the_lun_the_other_reads(lab: LabHandle) -> None:
    lab.exec("d1-g1", "qemu-io", "-f", "raw", "-c", "write -P 0x5a 1M 64k", "-c", "flush", lun(lab))
    read = lab.exec("d2-g1", "qemu-io", "-f", "raw", "-c", "read -P 0x5a 1M 64k", lun(lab))
    assert "Pattern verification failed" not in read
    assert "read 65536/65536 bytes" in read


def test_the_iso_export_is_seen_by_hosts_and_refuses_writes(lab: LabHandle) -> None:
    lab.path("freenas", "/mnt/iso/seen.iso").write_bytes(b"x" * 2048)
    assert "seen.iso" in lab.exec("d1-g1", "nfs-ls", f"nfs://{storage(lab)}/mnt/iso")
    assert "seen.iso" in lab.exec("d2-g1", "nfs-ls", f"nfs://{storage(lab)}/mnt/iso?version=4")
    script = f"nfs-cp /etc/hostname nfs://{storage(lab)}/mnt/iso/refused || echo refused as it should"
    assert "refused as it should" in lab.exec("d1-g1", "sh", "-c", script)
    lab.path("freenas", "/mnt/iso/seen.iso").unlink()


def test_its_services_listen_on_the_storage_network_and_give_addresses_on_the_other(lab: LabHandle) -> None:
    listening = lab.exec("freenas", "ss", "-lntu")
    assert f"{storage(lab)}:3260" in listening
    assert "0.0.0.0%eth0:67" in listening
