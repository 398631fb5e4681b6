import re

from cardume.lab.furniture import first_files, storage_files, with_neighbours
from cardume.lab.layout import plan_lab
from cardume.lab.rootfs import FREENAS, HOST, mirror_lines

LAB = plan_lab("lab", "10.147.0.0/23", 2)


def test_the_images_come_from_the_machines_own_mirror_whatever_its_release() -> None:
    known = (
        "http://mirror.example/debian/ trixie main\n"
        "http://mirror.example/debian/ trixie-updates main\n"
        "http://mirror.example/debian/ trixie contrib\n"
        "http://mirror.example/security/ trixie-security main\n"
        "https://packages.example/tools/ nodistro main\n"
    )
    assert mirror_lines(known, "trixie") == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
        "deb http://mirror.example/security/ bookworm-security main",
    ]


def test_without_a_main_archive_the_public_mirror_is_left_to_mmdebstrap() -> None:
    assert mirror_lines("https://packages.example/tools/ trixie-updates main\n", "trixie") == []


def test_the_database_does_not_start_by_itself_on_a_host() -> None:
    assert "etcd-server" in HOST.packages
    assert "etcd.service" in HOST.masked


def test_an_image_is_another_one_when_its_recipe_changes() -> None:
    assert HOST.key != FREENAS.key
    assert len(HOST.key) == 16


def test_neighbours_are_written_between_marks_and_replaced_when_the_lab_grows() -> None:
    before = with_neighbours(LAB, "127.0.0.1 localhost\n") + "192.0.2.9 theirs\n"
    after = with_neighbours(plan_lab("lab", "10.147.0.0/23", 3), before)
    assert after == (
        "127.0.0.1 localhost\n"
        "# the lab's boxes: begin\n"
        "10.147.0.10 freenas\n10.147.0.11 d1-g1\n10.147.0.12 d2-g1\n10.147.0.13 d3-g1\n"
        "# the lab's boxes: end\n"
        "192.0.2.9 theirs\n"
    )


def test_the_storage_servers_services_are_told_their_addresses() -> None:
    files = storage_files(LAB, LAB.get_box("freenas"))
    assert "portal=10.147.1.10:3260" in files["etc/systemd/system/tgt.service.d/lab.conf"]
    assert "scsi_sn 080027f9441700" in files["etc/tgt/targets.conf"]
    exports = re.findall(r"Path = (\S+);.*?Access_Type = (\w+);", files["etc/ganesha/ganesha.conf"], re.DOTALL)
    assert exports == [("/mnt/iso", "RO"), ("/mnt/vdi", "RW")]
    assert "dhcp-range=10.147.0.100,10.147.0.250,255.255.255.0,infinite" in files["etc/dnsmasq.d/lab.conf"]


def test_two_boxes_have_machine_ids_of_their_own() -> None:
    one, other = (first_files(LAB, box)["etc/machine-id"] for box in LAB.hosts)
    assert one != other
    assert len(one.strip()) == 32
