"""VMs as files through `xe`, a program of its own against the real API: the handlers, tasks and refusals between."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests.unit.messages.archives import MIB, old_archive
from tests.unit.messages.fake_host import Client, FakeHost, api, host, sr, vdi_record, vm
from tests.unit.messages.test_disk_images import DATA, SIZE, disk, fill, image
from tests.unit.messages.test_xva import content

__all__ = ["api", "disk", "host", "sr", "vm"]


async def xe(host: FakeHost, tmp_path: Path, *arguments: str) -> tuple[int | None, str, str]:
    """The program's exit status and what it printed."""
    extra = f"server=127.0.0.1,port={host.port},username=root,password=secret"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cardume.cli.xe", *arguments),
        env={**os.environ, "XE_EXTRA_ARGS": extra, "HOME": "/nowhere", "XDG_STATE_HOME": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode().strip(), err.decode()


async def test_a_vm_goes_to_a_file_and_comes_back(host: FakeHost, api: Client, vm: str, tmp_path: Path) -> None:
    file = tmp_path / "web.xva"
    status, _, err = await xe(host, tmp_path, "vm-export", "vm=web", f"filename={file}", "--compress")
    assert (status, err) == (0, "")
    assert file.read_bytes().startswith(b"\x1f\x8b")

    sr_uuid = await api("SR.get_uuid", (await api("SR.get_all"))[0])
    status, uuid, err = await xe(host, tmp_path, "vm-import", f"filename={file}", f"sr-uuid={sr_uuid}")
    assert (status, err) == (0, "")
    assert await api("VM.get_name_label", await api("VM.get_by_uuid", uuid)) == "web"

    status, _, err = await xe(host, tmp_path, "vm-import", f"filename={file}", "preserve=true")
    assert status == 1
    assert "A VM with this uuid exists already." in err


async def test_templates_and_snapshots_leave_as_templates(host: FakeHost, api: Client, vm: str, tmp_path: Path) -> None:
    (template,) = await api("VM.get_by_name_label", "Linux")
    snapshot = await api("VM.snapshot", vm, "before", [])
    for command, key, ref in (
        ("template-export", "template-uuid", template),
        ("snapshot-export-to-template", "snapshot-uuid", snapshot),
    ):
        file = tmp_path / f"{command}.xva"
        status, _, err = await xe(host, tmp_path, command, f"{key}={await api('VM.get_uuid', ref)}", f"filename={file}")
        assert (status, err) == (0, "")
        status, uuid, err = await xe(host, tmp_path, "vm-import", f"filename={file}")
        assert (status, err) == (0, "")
        record = await api("VM.get_record", await api("VM.get_by_uuid", uuid))
        assert (record["is_a_template"], record["is_a_snapshot"]) == (True, False)
        assert record["is_default_template"] is False


async def test_a_refused_file_is_told_by_its_reason(host: FakeHost, api: Client, sr: str, tmp_path: Path) -> None:
    for name, data, reason in (
        ("half", old_archive()[: 2 * MIB], "The data ended too early"),
        ("large", b"x" * (64 * MIB), "The import failed"),
        ("newer", old_archive(export_vsn=9), "The file was made by a newer version."),
    ):
        file = tmp_path / name
        file.write_bytes(data)
        status, _, err = await xe(host, tmp_path, "vm-import", f"filename={file}")
        assert status == 1
        assert reason in err, (name, err)


async def test_a_refused_export_leaves_no_file(host: FakeHost, api: Client, vm: str, tmp_path: Path) -> None:
    await api("VM.start", vm, False, False)
    file = tmp_path / "web.xva"
    status, _, err = await xe(host, tmp_path, "vm-export", "vm=web", f"filename={file}")
    assert status == 1
    assert "power state" in err
    assert not file.exists()


@pytest.mark.parametrize("format", ["raw", "vhd", "qcow2"])
async def test_a_disk_goes_to_a_file_and_comes_back(
    host: FakeHost, api: Client, sr: str, disk: str, tmp_path: Path, format: str
) -> None:
    fill(host, disk, DATA)
    file = tmp_path / f"disk.{format}"
    uuid = await api("VDI.get_uuid", disk)
    asked = (f"uuid={uuid}", f"filename={file}", f"format={format}", "--progress")
    status, _, err = await xe(host, tmp_path, "vdi-export", *asked)
    assert status == 0, err
    assert "xe /export_raw_vdi" in err
    assert "100%" in err

    other = await api("VDI.create", vdi_record(sr, SIZE))
    uuid = await api("VDI.get_uuid", other)
    status, _, err = await xe(host, tmp_path, "vdi-import", f"uuid={uuid}", f"filename={file}", f"format={format}")
    assert (status, err) == (0, "")
    assert content(host, other).rstrip(b"\0") == DATA


async def test_a_refused_image_is_told_by_its_reason(host: FakeHost, api: Client, disk: str, tmp_path: Path) -> None:
    uuid = await api("VDI.get_uuid", disk)
    for name, data, format, reason in (
        ("half", (await image("vhd"))[:MIB], "vhd", "lies behind the end of the file"),
        ("other", await image("qcow2"), "vhd", "it begins as a qcow2 image does"),
        ("large", bytes(SIZE + 512), "raw", "The disk must be at least this large."),
        ("long", bytes(20 * SIZE), "raw", "The disk must be at least this large."),
        ("damaged", b"x" * (20 * SIZE), "qcow2", "it does not begin as a qcow2 image does"),
        ("unknown", b"x" * 512, "vmdk", "vmdk"),
    ):
        file = tmp_path / name
        file.write_bytes(data)
        asked = (f"uuid={uuid}", f"filename={file}", f"format={format}")
        status, _, err = await xe(host, tmp_path, "vdi-import", *asked)
        assert status == 1
        assert reason in err, (name, err)
    status, _, err = await xe(host, tmp_path, "vdi-export", f"uuid={uuid}", f"filename={file}2", f"base={uuid}")
    assert status == 1
    assert "not implemented" in err
    status, _, err = await xe(host, tmp_path, "vdi-export", f"uuid={uuid}", f"filename={tmp_path}/half")
    assert (status, err) == (1, f"Error: The file {tmp_path}/half cannot be made: File exists.\n")
