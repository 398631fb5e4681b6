"""Single disks as image files: what `qemu-img` made is imported, and what is exported is what `qemu-img` reads.

Needs the lab's starting point. Proves: qcow2 and VHD images of QEMU's make, plain, compressed and fixed, fill a disk
that held something else; the disk leaves as raw, VHD and qcow2 with the same content, sparse; an upload that was cut
is refused, and a qcow2 image that was leaves the disk as it was; no helper program and no file stays.
"""

import base64
import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lab.test_xe import SR_FOLDER, Xe, run_xe, sr_files, wait_files_again, xe

from cardume.lab.api import PASSWORD, USER
from cardume.lab.handle import LabHandle
from cardume.lab.programs import wait_until

__all__ = ["xe"]
HOST = "d1-g1"
PLACE = "/var/tmp/disk-images"
MIB = 1 << 20
SIZE = 64 * MIB
PATTERN = ((1, 0, 4096), (2, 5 * MIB - 512, 3 * MIB), (3, 33 * MIB, 70_000 // 512 * 512), (4, SIZE - 512, 512))
"""Which byte from where on, and how often."""
MADE = {
    "plain.qcow2": "-O qcow2",
    "packed.qcow2": "-c -O qcow2 -o compression_type=zstd",
    "old.qcow2": "-c -O qcow2 -o compat=0.10,cluster_size=4k",
    "dynamic.vhd": "-O vpc -o force_size=on",
    "fixed.vhd": "-O vpc -o subformat=fixed,force_size=on",
}


@pytest.fixture
def images(lab: LabHandle) -> Iterator[Path]:
    """A folder of the host with images of one disk, as this machine sees it."""
    content = " ".join(f"-c 'write -q -P {number} {at} {length}'" for number, at, length in PATTERN)
    converts = [f"qemu-img convert {how} source.raw {name}" for name, how in MADE.items()]
    made = [f"qemu-img create -q -f raw source.raw {SIZE}", f"qemu-io -f raw {content} source.raw", *converts]
    lab.exec(HOST, "sh", "-ec", f"rm -rf {PLACE}; mkdir {PLACE}; cd {PLACE}; " + "; ".join(made))
    try:
        yield lab.path(HOST, PLACE)
    finally:
        lab.exec(HOST, "rm", "-r", PLACE)


@pytest.fixture
def disk(lab: LabHandle, xe: Xe) -> Iterator[str]:
    """A disk of the same size; when it is removed again nothing is left."""
    files = sr_files(lab)
    sr = xe("sr-list", "name-label=Local storage", "--minimal")
    uuid = xe("vdi-create", f"sr-uuid={sr}", "name-label=picture", f"virtual-size={SIZE}", "type=user")
    try:
        yield uuid
    finally:
        xe("vdi-destroy", f"uuid={uuid}")
    wait_files_again(lab, files)
    wait_until("the end of all helpers", lambda: "cardume-disk-" not in lab.exec(HOST, "ps", "-eo", "args"), 60)
    scratch = ("sh", "-c", "ls -A /var/lib/cardume/scratch")
    wait_until("nothing half-made", lambda: lab.exec(HOST, *scratch).strip() == "", 60)


def same(lab: LabHandle, one: str, of: str, format: str) -> bool:
    """True when an image in the folder holds what the other does, as QEMU reads them."""
    asked = ("qemu-img", "compare", "-f", "raw", "-F", format, f"{PLACE}/{one}", f"{PLACE}/{of}")
    return "identical" in lab.exec(HOST, *asked)


def test_disks_come_from_the_images_of_others_and_leave_as_such(
    lab: LabHandle, xe: Xe, images: Path, disk: str
) -> None:
    for name in MADE:
        xe("vdi-import", f"uuid={disk}", f"filename={images / name}", f"format={name.partition('.')[2]}")
        for format, read_as in (("raw", "raw"), ("vhd", "vpc"), ("qcow2", "qcow2")):
            sent = images / f"sent.{format}"
            xe("vdi-export", f"uuid={disk}", f"filename={sent}", f"format={format}")
            assert same(lab, "source.raw", sent.name, read_as), (name, format)
            assert sent.stat().st_size < SIZE or format == "raw"
            if format == "qcow2":
                lab.exec(HOST, "qemu-img", "check", "-q", "-f", "qcow2", f"{PLACE}/{sent.name}")
            sent.unlink()
        lab.exec(HOST, "qemu-io", "-f", "qcow2", "-c", f"write -q -P 9 0 {SIZE}", f"{SR_FOLDER}/{disk}.qcow2")


def test_an_upload_that_is_cut_is_refused(lab: LabHandle, xe: Xe, api: Any, images: Path, disk: str) -> None:
    xe("vdi-import", f"uuid={disk}", f"filename={images / 'source.raw'}")
    for name, reason in (("plain.qcow2", "ended too early"), ("dynamic.vhd", "behind the end of the file")):
        half = images / f"half.{name.partition('.')[2]}"
        half.write_bytes((images / name).read_bytes()[:-MIB])
        refused = run_xe(lab, "vdi-import", f"uuid={disk}", f"filename={half}", f"format={half.suffix[1:]}")
        assert refused.returncode == 1
        assert reason in refused.stderr
        assert api.VDI.get_current_operations(api.VDI.get_by_uuid(disk)) == {}

    task = api.task.create("cut", "")
    _hang_up(lab, disk, task, (images / "plain.qcow2").read_bytes())
    wait_until("the end of the task", lambda: api.task.get_status(task) != "pending", 120)
    assert api.task.get_error_info(task) == ["IMPORT_ERROR_PREMATURE_EOF"]

    xe("vdi-export", f"uuid={disk}", f"filename={images / 'kept.raw'}")
    assert same(lab, "source.raw", "kept.raw", "raw")


def _hang_up(lab: LabHandle, disk: str, task: str, data: bytes) -> None:
    """Send half of an image, and go."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(lab.address(HOST), context=tls, timeout=120)
    connection.putrequest("PUT", f"/import_raw_vdi?task_id={task}&vdi={disk}&format=qcow2")
    connection.putheader("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
    connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data[: len(data) // 2])
    assert connection.getresponse().status == 200
    connection.close()
