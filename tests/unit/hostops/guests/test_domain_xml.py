"""Domain XML: whole documents in tests/golden/domain_xml, and the rules one by one."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.accelerator import Accelerator
from cardume.hostops.guests.cpu_map import known_features
from cardume.hostops.guests.domain_edit import snapshot_xml
from cardume.hostops.guests.domain_xml import domain_xml
from cardume.hostops.guests.guest import (
    Disk,
    DiskBus,
    FileSource,
    Firmware,
    GuestSpec,
    IscsiSource,
    NBDSource,
    NfsSource,
    Nic,
    NicModel,
)

UUID = "8a6b3c1e-4f0d-4c55-9c11-0d5a4b7e2f90"
MIB = 1 << 20

EMPTY = GuestSpec(uuid=UUID, name="empty", memory_bytes=64 * MIB, vcpus_max=1, vcpus=1)

LINUX = GuestSpec(
    uuid=UUID,
    name="vm-d1-g1 <web> & more",
    memory_bytes=512 * MIB,
    vcpus_max=4,
    vcpus=2,
    disks=(
        Disk("0", FileSource("/srv/sr/1.qcow2", "qcow2"), boot_index=0),
        Disk("1", NBDSource("/run/cardume/nbd/2.sock", "vdi"), readonly=True),
        Disk("2", FileSource("/dev/disk/by-id/scsi-1", "raw")),
        Disk("3", None, is_cdrom=True, boot_index=2),
    ),
    nics=(Nic("0", "02:00:00:00:00:01", "br0", boot_index=1), Nic("1", "02:00:00:00:00:02", "br1", mtu=9000)),
    clock_offset_s=-3600,
)

SLICE = IscsiSource("10.0.0.10", 3260, "iqn.2005-10.org.freenas.cttl:lun1", 1, 9 << 20, 64 * MIB, "iqn.2026-01.x:h1")

NETWORK_DISKS = GuestSpec(
    uuid=UUID,
    name="shared",
    memory_bytes=512 * MIB,
    vcpus_max=1,
    vcpus=1,
    disks=(
        Disk("0", SLICE, boot_index=0),
        Disk("1", replace(SLICE, offset=100 << 20, chap_user="cardume", chap_secret="sr-1"), bus=DiskBus.SATA),
        Disk("2", NfsSource("10.0.0.10", "/mnt/vdi/a.qcow2", "qcow2")),
    ),
)

WINDOWS = GuestSpec(
    uuid=UUID,
    name="win",
    memory_bytes=4096 * MIB,
    vcpus_max=4,
    vcpus=4,
    cores_per_socket=2,
    disks=(
        Disk("0", FileSource("/srv/sr/w.qcow2", "qcow2"), bus=DiskBus.SATA, boot_index=1),
        Disk("3", FileSource("/srv/iso/w.iso", "raw"), is_cdrom=True, boot_index=0),
    ),
    nics=(Nic("0", "02:00:00:00:00:03", "br0", model=NicModel.E1000E),),
    firmware=Firmware.UEFI,
    video="cirrus",
    localtime=True,
    hyperv=True,
)


@pytest.mark.parametrize(
    ("name", "spec", "accelerator", "page_cache"),
    [
        ("empty_tcg", EMPTY, Accelerator.TCG, ()),
        ("linux_tcg", LINUX, Accelerator.TCG, ()),
        ("linux_kvm", LINUX, Accelerator.KVM, ()),
        ("linux_without_o_direct", LINUX, Accelerator.TCG, ("0", "2")),
        ("network_disks_tcg", NETWORK_DISKS, Accelerator.TCG, ()),
        ("windows_kvm", WINDOWS, Accelerator.KVM, ()),
        ("windows_tcg", WINDOWS, Accelerator.TCG, ()),
    ],
)
def test_the_domain_xml_is_the_expected_one(
    name: str,
    spec: GuestSpec,
    accelerator: Accelerator,
    page_cache: tuple[str, ...],
    assert_golden: Callable[[str, str], None],
) -> None:
    assert_golden(f"domain_xml/{name}.xml", domain_xml(spec, accelerator, frozenset(page_cache)))


def test_a_guest_without_a_name_or_with_control_characters_in_it_still_has_a_title() -> None:
    def title(name: str) -> str | None:
        return ET.fromstring(domain_xml(replace(EMPTY, name=name), Accelerator.TCG)).findtext("title")

    assert title("") == "unnamed"
    assert title("a\x00b\x1b[31m\nc\t\u202ed") == "ab[31m c d"
    assert title("Ação </title>") == "Ação </title>"
    assert title("x" * 500) == "x" * 200


def test_boot_indexes_become_boot_orders_without_gaps_over_disks_and_cards() -> None:
    root = ET.fromstring(domain_xml(LINUX, Accelerator.TCG))
    orders = {
        device.find("alias").get("name"): device.find("boot").get("order")  # type: ignore[union-attr]
        for device in (*root.iter("disk"), *root.iter("interface"))
        if device.find("boot") is not None
    }
    assert orders == {"ua-disk-0": "1", "ua-nic-0": "2", "ua-disk-3": "3"}


def test_sixteen_disks_and_seven_cards_fit_and_there_is_a_port_for_each() -> None:
    disks = tuple(Disk(str(n), FileSource(f"/d{n}", "raw")) for n in range(16))
    nics = tuple(Nic(str(n), f"02:00:00:00:00:{n:02x}", "br0") for n in range(7))
    root = ET.fromstring(domain_xml(replace(EMPTY, disks=disks, nics=nics), Accelerator.TCG))
    ports = [one for one in root.iter("controller") if one.get("model") == "pcie-root-port"]
    assert len(ports) == 16 + 7 + 4
    assert root.findall("devices/disk/target")[15].get("dev") == "vdp"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"disks": (Disk("16", FileSource("/d", "raw")),)}, "16 disks and CD drives"),
        ({"disks": (Disk("0", None),)}, "only a CD drive can be empty"),
        ({"disks": (Disk("0", FileSource("/a", "raw")), Disk("0", None, is_cdrom=True))}, "place of disk 0"),
        ({"disks": (Disk("xvda", FileSource("/a", "raw")),)}, "plain number"),
        ({"disks": (Disk("01", FileSource("/a", "raw")),)}, "plain number"),
        ({"nics": (Nic("7", "02:00:00:00:00:01", "br0"),)}, "7 cards"),
        ({"vcpus": 2}, "maximum of 1"),
        ({"vcpus": 0}, "maximum of 1"),
        ({"vcpus_max": 3, "cores_per_socket": 2}, "sockets of 2 cores"),
        ({"memory_bytes": 1024}, "at least 1 MiB"),
    ],
)
def test_what_no_guest_can_hold_is_refused_with_the_limit_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(GuestError, match=message):
        domain_xml(replace(EMPTY, **change), Accelerator.TCG)  # type: ignore[arg-type]


def test_nothing_of_kvm_is_asked_of_an_emulated_guest() -> None:
    text = domain_xml(WINDOWS, Accelerator.TCG)
    assert "hyperv" not in text
    assert "host-model" not in text
    assert 'type="qemu"' in text


def test_a_guest_reads_the_maker_that_was_chosen_for_it() -> None:
    spec = replace(EMPTY, bios_strings={"bios-vendor": "Acme", "system-product-name": "R1", "enclosure-asset-tag": " "})
    root = ET.fromstring(domain_xml(spec, Accelerator.TCG))
    entries = {(table.tag, entry.get("name")): entry.text for table in root.find("sysinfo") or () for entry in table}
    assert entries == {("bios", "vendor"): "Acme", ("system", "product"): "R1"}
    assert root.find("os/smbios[@mode='sysinfo']") is not None
    assert ET.fromstring(domain_xml(EMPTY, Accelerator.TCG)).find("sysinfo") is None


def test_a_snapshot_moves_the_disks_that_are_named_and_no_others() -> None:
    xml = domain_xml(LINUX, Accelerator.TCG)
    moved = ET.fromstring(snapshot_xml(xml, {"0": FileSource("/srv/sr/1.layer-a.qcow2", "qcow2")}, "/srv/sr/m.raw"))
    memory = moved.find("memory")
    assert memory is not None
    assert memory.attrib == {"snapshot": "external", "file": "/srv/sr/m.raw"}
    told = [(disk.get("name"), disk.get("snapshot"), disk.find("source")) for disk in moved.iterfind("disks/disk")]
    assert [(name, how) for name, how, _ in told] == [
        ("vda", "external"),
        ("vdb", "no"),
        ("vdc", "no"),
        ("sdd", "no"),
    ]
    source = told[0][2]
    assert source is not None
    assert source.attrib == {"file": "/srv/sr/1.layer-a.qcow2"}
    with pytest.raises(GuestError, match="no disk 9"):
        snapshot_xml(xml, {"9": FileSource("/srv/sr/x", "qcow2")}, None)


def test_a_guest_does_not_see_what_other_hosts_of_the_pool_cannot_do() -> None:
    spec = replace(EMPTY, hidden_features=("avx512_vnni", "sse4_2", "too_new"))
    cpu = ET.fromstring(domain_xml(spec, Accelerator.KVM, known_features=frozenset({"avx512vnni", "sse4.2"}))).find(
        "cpu"
    )
    assert cpu is not None
    hidden = [(one.get("policy"), one.get("name")) for one in cpu.findall("feature")]
    assert (cpu.get("mode"), hidden) == ("host-model", [("disable", "avx512vnni"), ("disable", "sse4.2")])
    emulated = ET.fromstring(domain_xml(spec, Accelerator.TCG)).find("cpu")
    assert emulated is not None
    assert all(one.get("policy") == "require" for one in emulated.findall("feature"))


def test_libvirts_own_words_are_read_from_its_list(tmp_path: Path) -> None:
    listed = tmp_path / "x86_features.xml"
    listed.write_text("<cpus>\n  <feature name='fpu'>\n <feature name=\"sse4.2\" migratable='no'>\n</cpus>")
    assert known_features(listed) == {"fpu", "sse4.2"}
    assert known_features(tmp_path / "none") == frozenset()


def test_a_guest_without_a_serial_line_has_neither_the_line_nor_its_console() -> None:
    devices = ET.fromstring(domain_xml(replace(EMPTY, serial_line=False), Accelerator.TCG)).find("devices")
    assert devices is not None
    assert devices.find("serial") is None
    assert devices.find("console") is None
    assert devices.find("channel") is not None
