"""VMs as files: out of a host by `xe vm-export`, and back by `xe vm-import`, from a file and from a URL.

Needs the lab's starting point. Proves: a halted guest's archive, compressed or not, becomes a guest that boots and
answers with the disk it had; nothing is left of an archive that was cut in the middle; no helper program stays.
"""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.lab.conftest import remove_vm
from tests.lab.guest_page import fetch
from tests.lab.test_xe import Xe, address_of, run_xe, sr_files, wait_files_again, xe

from cardume.lab.handle import LabHandle
from cardume.lab.layout import Network
from cardume.lab.programs import wait_until

__all__ = ["xe"]
HOST = "d1-g1"
MIB = 1 << 20


@contextmanager
def web_site(folder: Path) -> Iterator[int]:
    """A server of the folder's files on this machine; its port."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def room(lab: LabHandle, api: Any) -> Iterator[None]:
    """The VMs that a test adds are removed at its end; the host's folder of disks is then as it was."""
    files, before = sr_files(lab), set(api.VM.get_all())
    try:
        yield
    finally:
        for vm in set(api.VM.get_all()) - before:
            remove_vm(api, vm)
    wait_files_again(lab, files)
    wait_until("the end of all helpers", lambda: "cardume-disk-" not in lab.exec(HOST, "ps", "-eo", "args"), 60)


def test_a_guest_leaves_as_a_file_and_comes_back(lab: LabHandle, xe: Xe, api: Any, room: None, tmp_path: Path) -> None:
    vm = xe("vm-install", "template=Cardume lab guest", "new-name-label=traveller")
    plain, packed, twice = tmp_path / "plain.xva", tmp_path / "packed.xva", tmp_path / "twice.xva"
    xe("vm-export", f"vm={vm}", f"filename={plain}")
    xe("vm-export", f"vm={vm}", f"filename={packed}", "compress=zstd")
    assert plain.read_bytes().startswith(b"ova.xml\0")
    assert packed.stat().st_size < plain.stat().st_size
    disk = api.VDI.get_virtual_size(_disk(api, vm))

    xe("vm-uninstall", f"uuid={vm}", "force=true")
    assert xe("vm-import", f"filename={packed}", "preserve=true") == vm
    xe("vm-start", f"uuid={vm}")  # it boots while the rest goes on
    with web_site(tmp_path) as port:
        other = xe("vm-import", f"url=http://{lab.lab.machine_address(Network.MANAGEMENT)}:{port}/{plain.name}")
    assert other != vm

    xe("vm-export", f"vm={other}", f"filename={twice}")
    assert _chunks(twice) == _chunks(plain)
    assert api.VDI.get_virtual_size(_disk(api, other)) == disk
    assert fetch(address_of(xe, vm))["errors"] == 0


def test_an_archive_that_was_cut_leaves_nothing(lab: LabHandle, xe: Xe, room: None, tmp_path: Path) -> None:
    vm = xe("vm-install", "template=Cardume lab guest", "new-name-label=traveller")
    whole, cut = tmp_path / "whole.xva", tmp_path / "cut.xva"
    xe("vm-export", f"vm={vm}", f"filename={whole}", "compress=gzip")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    files = sr_files(lab)

    refused = run_xe(lab, "vm-import", f"filename={cut}")

    assert refused.returncode == 1
    assert "The data ended too early" in refused.stderr
    wait_files_again(lab, files)


def _disk(api: Any, vm: str) -> str:
    drives = [api.VBD.get_record(vbd) for vbd in api.VM.get_VBDs(api.VM.get_by_uuid(vm))]
    (disk,) = [drive["VDI"] for drive in drives if drive["type"] == "Disk"]
    return str(disk)


def _chunks(path: Path) -> bytes:
    """All of an archive but its first file."""
    data = path.read_bytes()
    size = int(data[124:135], 8)
    return data[512 + -(-size // 512) * 512 :]
