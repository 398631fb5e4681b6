"""What plug-ins make of what the host tells."""

from pathlib import Path

import pytest

from cardume.hostops.machine import plugins
from cardume.hostops.machine.interface import PluginFailed, PluginFunctionMissing, PluginMissing
from cardume.hostops.machine.memory_machine import MemoryMachine
from cardume.hostops.machine.raid import read_raid

LSBLK = """\
NAME="sda" KNAME="sda" PKNAME="" SIZE="1000" TYPE="disk" RO="0" MOUNTPOINT=""
NAME="sda1" KNAME="sda1" PKNAME="sda" SIZE="900" TYPE="part" RO="0" MOUNTPOINT="/srv/a b"
NAME="sr0" KNAME="sr0" PKNAME="" SIZE="50" TYPE="rom" RO="1" MOUNTPOINT=""
"""


def test_block_devices_are_told_below_the_disk_that_they_are_on() -> None:
    disk = {"name": "sda", "kname": "sda", "pkname": "", "size": "1000", "type": "disk", "ro": "0", "mountpoint": ""}
    part = {"name": "sda1", "kname": "sda1", "pkname": "sda", "size": "900", "type": "part", "ro": "0"}
    rom = {"name": "sr0", "kname": "sr0", "pkname": "", "size": "50", "type": "rom", "ro": "1", "mountpoint": ""}

    assert plugins.block_devices(LSBLK) == [{**disk, "children": [{**part, "mountpoint": "/srv/a b"}]}, rom]


def test_devices_that_are_said_to_be_on_each_other_are_not_followed_for_ever() -> None:
    text = 'NAME="a" KNAME="a" PKNAME=""\nNAME="b" KNAME="b" PKNAME="a"\nNAME="a" KNAME="a" PKNAME="b"\n'

    assert [device["name"] for device in plugins.block_devices(text)] == ["a"]


def array(block: Path) -> Path:
    """A mirror whose second disk has failed."""
    md = block / "md127" / "md"
    texts = {"array_state": "clean", "level": "raid1", "raid_disks": "2", "degraded": "1", "metadata_version": "1.2"}
    disks = {"dev-sda": ("8:0", "0", "in_sync"), "dev-sdb": ("8:16", "none", "faulty")}
    for disk, (device, slot, state) in disks.items():
        (md / disk / "block").mkdir(parents=True)
        (md / disk / "block" / "dev").write_text(f"{device}\n")
        (md / disk / "slot").write_text(f"{slot}\n")
        (md / disk / "state").write_text(f"{state}\n")
    for name, text in texts.items():
        (md / name).write_text(f"{text}\n")
    (block / "md127" / "size").write_text("2048\n")
    return block


def test_a_degraded_array_is_told_as_such_with_its_disks(tmp_path: Path) -> None:
    told = read_raid(array(tmp_path))

    assert told["raid"]["State"] == "clean, degraded"
    assert told["raid"]["Failed Devices"] == "1"
    assert told["raid"]["Array Size"] == "1024"
    assert told["volumes"] == [
        ["0", "8", "0", "0", "active sync", "/dev/sda"],
        ["1", "8", "16", "-", "faulty", "/dev/sdb"],
    ]


def test_a_host_without_an_array_tells_nothing(tmp_path: Path) -> None:
    assert read_raid(tmp_path) == {}


async def test_a_plugin_that_is_not_there_and_one_that_fails_are_told_apart() -> None:
    machine = MemoryMachine()

    with pytest.raises(PluginMissing):
        await machine.call_plugin("updater.py", "check_update", {})
    with pytest.raises(PluginFunctionMissing):
        await machine.call_plugin("answer.py", "sing", {})
    with pytest.raises(PluginFailed, match="the sensor is gone"):
        await machine.call_plugin("answer.py", "fail", {})
    assert await machine.call_plugin("answer.py", "say", {"text": "yes"}) == "yes"
