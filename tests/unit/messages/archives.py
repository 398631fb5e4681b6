"""Archives in the hands of tests: taken apart and made by hand, by Python's own tarfile and XML-RPC."""

import hashlib
import io
import tarfile
import xmlrpc.client
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from tests.unit.messages.fake_host import FakeHost

MIB = 1 << 20


async def get(host: FakeHost, session: str, path: str, **query: str) -> tuple[int, bytes]:
    """What a handler answers to GET."""
    async with aiohttp.ClientSession() as http:
        url = f"https://127.0.0.1:{host.port}{path}"
        async with http.get(url, params={"session_id": session, **query}, ssl=False) as answer:
            return answer.status, await answer.read()


async def put(host: FakeHost, session: str, path: str, body: Any, **query: str) -> int:
    """The status that a handler answers to PUT; what became of it is in the task."""
    async with aiohttp.ClientSession() as http:
        url = f"https://127.0.0.1:{host.port}{path}"
        try:
            async with http.put(url, params={"session_id": session, **query}, data=body, ssl=False) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientPayloadError, aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            return 200  # it began and was cut


def members(archive: bytes) -> dict[str, bytes]:
    """The files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {each.name: opened.read() for each in tar if (opened := tar.extractfile(each)) is not None}


def archive(files: Sequence[tuple[str, bytes]]) -> bytes:
    """An archive of files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


def ova(objects: Sequence[tuple[str, str, Mapping[str, Any]]], **version: Any) -> bytes:
    """An ova.xml as another product writes it."""
    told = {"hostname": "xs", "date": "now", "product_version": "6.2.0", "product_brand": "XenServer", **version}
    value = {"version": told, "objects": [{"class": cls, "id": id, "snapshot": record} for cls, id, record in objects]}
    text = xmlrpc.client.dumps((value,), allow_none=True)
    return text.removeprefix("<params>\n<param>\n").removesuffix("</param>\n</params>\n").encode()


def vm_record(**more: Any) -> dict[str, Any]:
    """A VM as an old host tells it."""
    memory = str(256 * MIB)
    return {
        "uuid": "7b3a0e0e-0f5f-4d9c-9d53-0c1b5a2f0001",
        "name_label": "old one",
        "name_description": "from afar",
        "power_state": "Halted",
        "is_a_template": False,
        "memory_static_min": memory,
        "memory_dynamic_min": memory,
        "memory_dynamic_max": memory,
        "memory_static_max": memory,
        "VCPUs_max": "2",
        "VCPUs_at_startup": "2",
        "HVM_boot_policy": "BIOS order",
        "HVM_boot_params": {"order": "cd"},
        "platform": {"acpi": "true"},
        "other_config": {"mac_seed": "old", "folder": "/a"},
        "allowed_operations": ["start", "an_operation_of_1999"],
        "VBDs": ["Ref:1"],
        **more,
    }


def vbd_record(**more: Any) -> dict[str, Any]:
    return {
        "uuid": "7b3a0e0e-0f5f-4d9c-9d53-0c1b5a2f0002",
        "VM": "Ref:0",
        "VDI": "Ref:2",
        "userdevice": "0",
        "bootable": True,
        "mode": "RW",
        "type": "Disk",
        "empty": False,
        "other_config": {"owner": ""},
        **more,
    }


def vdi_record(size: int, **more: Any) -> dict[str, Any]:
    return {
        "uuid": "7b3a0e0e-0f5f-4d9c-9d53-0c1b5a2f0003",
        "name_label": "old disk",
        "SR": "Ref:3",
        "virtual_size": str(size),
        "type": "system",
        "sharable": False,
        "read_only": False,
        **more,
    }


def old_objects(size: int = 3 * MIB, **vm: Any) -> list[tuple[str, str, Mapping[str, Any]]]:
    """A VM with a disk and a card, as an old host tells them."""
    return [
        ("VM", "Ref:0", vm_record(**vm)),
        ("VBD", "Ref:1", vbd_record()),
        ("VDI", "Ref:2", vdi_record(size)),
        ("SR", "Ref:3", {"uuid": "7b3a0e0e-0f5f-4d9c-9d53-0c1b5a2f0004", "name_label": "theirs", "type": "lvm"}),
        ("VIF", "Ref:4", {"VM": "Ref:0", "network": "Ref:5", "device": "0", "MAC": "00:16:3e:00:00:01", "MTU": "1500"}),
        ("network", "Ref:5", {"uuid": "7b3a0e0e-0f5f-4d9c-9d53-0c1b5a2f0006", "name_label": "Their network"}),
        ("something_new", "Ref:6", {"uuid": "x"}),
    ]


def chunk(name: str, data: bytes, checksum: str = "") -> list[tuple[str, bytes]]:
    """A chunk with its SHA-1, as old archives have it."""
    return [(name, data), (f"{name}.checksum", (checksum or hashlib.sha1(data).hexdigest()).encode())]


def old_archive(**version: Any) -> bytes:
    """A whole archive as an old host writes it: a disk of three chunks, the one in the middle left out."""
    version = version or {"build_number": "70446c", "xapi_major": 1, "xapi_minor": 3}
    chunks = [*chunk("Ref:2/00000000", b"A" * MIB), *chunk("Ref:2/00000002", b"C" * MIB)]
    return archive([("ova.xml", ova(old_objects(), **version)), *chunks])
