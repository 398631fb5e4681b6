"""What is read from libvirt's XML and events, and what is changed in it."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.accelerator import Accelerator
from cardume.hostops.guests.agent import facts_from
from cardume.hostops.guests.domain_edit import DiskGone, DiskLayers, disk_layers, with_devices_of, with_media
from cardume.hostops.guests.domain_view import device_of_alias, qemu_owner, view_of
from cardume.hostops.guests.domain_xml import domain_xml
from cardume.hostops.guests.guest import (
    AgentFacts,
    Disk,
    FileSource,
    GuestEvent,
    GuestEventKind,
    GuestInterface,
    GuestSpec,
    NBDSource,
    Nic,
    StopReason,
)
from cardume.hostops.guests.lifecycle import guest_event

UUID = "8a6b3c1e-4f0d-4c55-9c11-0d5a4b7e2f90"
SPEC = GuestSpec(
    uuid=UUID,
    name="vm",
    memory_bytes=64 << 20,
    vcpus_max=2,
    vcpus=1,
    disks=(
        Disk("10", FileSource("/sr/10", "raw")),
        Disk("2", FileSource("/sr/2", "qcow2")),
        Disk("3", None, is_cdrom=True),
    ),
    nics=(Nic("0", "02:00:00:00:00:01", "br0"),),
)
XML = domain_xml(SPEC, Accelerator.TCG)


def test_a_domain_of_ours_is_told_from_foreign_ones_and_its_devices_are_in_order() -> None:
    view = view_of(XML)
    assert (view.ours, view.vcpus, view.disks, view.nics) == (True, 1, ("2", "3", "10"), ("0",))
    assert (view.vnc_socket, view.agent_connected) == (None, False)
    assert not view_of("<domain><vcpu>3</vcpu></domain>").ours
    assert not view_of("<domain><metadata><guest xmlns='urn:other'/></metadata><vcpu>3</vcpu></domain>").ours


def test_the_screens_socket_and_the_agents_state_are_read() -> None:
    view = view_of(
        "<domain><vcpu current='2'>4</vcpu><devices>"
        "<channel><target name='org.qemu.guest_agent.0' state='connected'/></channel>"
        "<graphics type='vnc'><listen type='socket' socket='/run/v.sock'/></graphics></devices></domain>"
    )
    assert (view.vcpus, view.vnc_socket, view.agent_connected) == (2, "/run/v.sock", True)


def test_qemus_user_is_read_from_the_capabilities() -> None:
    text = (
        "<capabilities><host><secmodel><model>apparmor</model></secmodel><secmodel><model>dac</model>"
        "<baselabel type='kvm'>+1:+2</baselabel><baselabel type='qemu'>+64055:+104</baselabel></secmodel>"
        "</host></capabilities>"
    )
    assert qemu_owner(text) == (64055, 104)
    assert qemu_owner("<capabilities><host/></capabilities>") is None


def test_aliases_of_ours_stand_for_userdevices() -> None:
    assert [device_of_alias(alias) for alias in ("ua-disk-12", "ua-nic-3", "virtio0")] == ["12", "3", None]


@pytest.mark.parametrize(
    ("event", "detail", "expected"),
    [
        (2, 0, GuestEvent(UUID, GuestEventKind.STARTED)),
        (3, 2, GuestEvent(UUID, GuestEventKind.PAUSED)),
        (4, 0, GuestEvent(UUID, GuestEventKind.RESUMED)),
        (4, 1, GuestEvent(UUID, GuestEventKind.RESUMED, is_migrated=True)),
        (4, 2, GuestEvent(UUID, GuestEventKind.RESUMED)),
        (5, 0, GuestEvent(UUID, GuestEventKind.STOPPED, reason=StopReason.SHUTDOWN)),
        (5, 1, GuestEvent(UUID, GuestEventKind.STOPPED, reason=StopReason.DESTROYED)),
        (5, 2, GuestEvent(UUID, GuestEventKind.STOPPED, reason=StopReason.CRASHED)),
        (5, 3, GuestEvent(UUID, GuestEventKind.STOPPED, reason=StopReason.MIGRATED)),
        (5, 4, GuestEvent(UUID, GuestEventKind.STOPPED, reason=StopReason.SAVED)),
        (5, 5, GuestEvent(UUID, GuestEventKind.STOPPED, reason=StopReason.CRASHED)),
        (5, 99, GuestEvent(UUID, GuestEventKind.STOPPED, reason=StopReason.CRASHED)),
        (0, 0, None),
        (6, 0, None),
        (8, 0, None),
    ],
)
def test_lifecycle_events_are_told_with_the_reason_of_an_end(
    event: int, detail: int, expected: GuestEvent | None
) -> None:
    assert guest_event(UUID, event, detail) == expected


def test_a_guest_that_ends_while_it_starts_has_failed_but_an_earlier_destroy_is_still_a_destroy() -> None:
    failed, destroyed = guest_event(UUID, 5, 5, starting=True), guest_event(UUID, 5, 1, starting=True)
    assert failed == GuestEvent(UUID, GuestEventKind.STOPPED, reason=StopReason.FAILED)
    assert destroyed == GuestEvent(UUID, GuestEventKind.STOPPED, reason=StopReason.DESTROYED)


def test_a_saved_guest_gets_its_disks_bridge_and_name_of_today_and_nothing_else() -> None:
    disks = (Disk("10", NBDSource("/run/s", "x")), Disk("2", FileSource("/new/2", "raw")), SPEC.disks[2])
    now = replace(SPEC, name="new", disks=disks, nics=(replace(SPEC.nics[0], bridge="br7"),), memory_bytes=1 << 30)
    root = ET.fromstring(with_devices_of(XML, now, frozenset({"2"})))
    first, second, drive = root.findall("devices/disk")
    assert (first.get("type"), first.find("source/host").get("socket")) == ("network", "/run/s")  # type: ignore[union-attr]
    assert second.find("source").attrib == {"file": "/new/2"}  # type: ignore[union-attr]
    assert second.find("driver").get("type") == "raw"  # type: ignore[union-attr]
    assert second.find("driver").get("cache") == "writeback"  # type: ignore[union-attr]
    assert drive.find("source") is None
    assert root.find("devices/interface/source").attrib == {"bridge": "br7"}  # type: ignore[union-attr]
    assert (root.findtext("title"), root.findtext("memory")) == ("new", "65536")


def test_a_saved_guest_is_not_given_other_devices_than_it_had() -> None:
    with pytest.raises(GuestError, match="disks 10, 2, 3 and would resume with 10, 2"):
        with_devices_of(XML, replace(SPEC, disks=SPEC.disks[:2]))
    with pytest.raises(GuestError, match="network cards 0 and would resume with none"):
        with_devices_of(XML, replace(SPEC, nics=()))


def test_media_go_into_cd_drives_only() -> None:
    drive = ET.fromstring(with_media(XML, "3", FileSource("/iso/a.iso", "raw")))
    assert drive.find("source").attrib == {"file": "/iso/a.iso"}  # type: ignore[union-attr]
    for device in ("2", "4"):
        with pytest.raises(GuestError, match=f"no CD drive {device}"):
            with_media(XML, device, None)


def test_the_agents_answers_become_facts() -> None:
    interfaces = [
        {"name": "lo", "ip-addresses": [{"ip-address-type": "ipv4", "ip-address": "127.0.0.1"}]},
        {
            "name": "eth0",
            "hardware-address": "02:00:00:00:00:AB",
            "ip-addresses": [
                {"ip-address-type": "ipv4", "ip-address": "10.147.0.100", "prefix": 24},
                {"ip-address-type": "ipv6", "ip-address": "fe80::1", "prefix": 64},
            ],
        },
    ]
    answers = {
        "guest-info": {"version": "7.2.0", "supported_commands": []},
        "guest-get-host-name": {"host-name": "vm-d1-g1"},
        "guest-get-osinfo": {"pretty-name": "Debian 12", "id": "debian", "version-id": "12", "kernel-release": "6.1"},
        "guest-network-get-interfaces": interfaces,
    }
    facts = facts_from({question: json.dumps({"return": answer}) for question, answer in answers.items()})
    assert facts == AgentFacts(
        version="7.2.0",
        hostname="vm-d1-g1",
        os_name="Debian 12",
        os_id="debian",
        os_version="12",
        kernel="6.1",
        interfaces=(GuestInterface("eth0", "02:00:00:00:00:ab", ("10.147.0.100",), ("fe80::1",)),),
    )


@pytest.mark.parametrize("reply", ["", "[]", '{"error": {}}', '{"return": 5}', '{"return": [[{}], 3, {"name": []}]}'])
def test_an_agent_that_talks_nonsense_has_told_nothing(reply: str) -> None:
    questions = ("guest-info", "guest-get-host-name", "guest-get-osinfo", "guest-network-get-interfaces")
    assert facts_from(dict.fromkeys(questions, reply)) == AgentFacts()


def test_what_an_agent_says_is_cut_and_cleaned() -> None:
    facts = facts_from({"guest-get-host-name": json.dumps({"return": {"host-name": "a\x1b[2J\n" + "x" * 9999}})})
    assert facts.hostname == "a[2J" + "x" * 252


def test_a_disk_is_read_with_its_chain_of_layers_and_the_state_of_its_commit() -> None:
    mirror = "<mirror type='file' job='active-commit' ready='{}'><source file='/sr/a.qcow2'/></mirror>"
    xml = """<domain><devices><disk type='file' device='disk'>
        <source file='/sr/c.qcow2'/>
        <backingStore type='file'><source file='/sr/a.qcow2'/>
          <backingStore type='file'><source file='/sr/r.raw'/><backingStore/></backingStore></backingStore>
        {}<target dev='vdb'/><alias name='ua-disk-1'/></disk></devices></domain>"""
    chain = ("/sr/c.qcow2", "/sr/a.qcow2", "/sr/r.raw")
    for inside, is_ready in (("", False), (mirror.format("no"), False), (mirror.format("yes"), True)):
        assert disk_layers(xml.format(inside), "1") == DiskLayers("vdb", chain, is_ready)
    with pytest.raises(DiskGone, match="no disk 0"):
        disk_layers(xml, "0")
