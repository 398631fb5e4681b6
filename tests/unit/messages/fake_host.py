"""A host whose hands are in memory, behind the real API, spoken to by the PyPI package XenAPI."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import XenAPI

from cardume.api.blobs import blob_handlers
from cardume.api.consoles import console_handlers
from cardume.api.disk_images import disk_image_handlers
from cardume.api.http_access import HttpAccess
from cardume.api.metrics import metric_handlers
from cardume.api.pool_dump import pool_dump_handlers
from cardume.api.served_certificate import ServedCertificate
from cardume.api.server import Listen, Parts, load_messages, serve
from cardume.api.tasks import Work
from cardume.api.tls import HostFiles
from cardume.api.xva import xva_handlers
from cardume.daemons.members import Members
from cardume.daemons.metering import Histories
from cardume.daemons.thin_xe import thin_xe
from cardume.daemons.upkeep import Upkeep
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.hostops.blob_files import BlobFiles
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.hands import Hands
from cardume.hostops.host_facts import HostFacts
from cardume.hostops.host_parsers import CPU, NIC, Distro, IPv4, Memory
from cardume.hostops.machine.memory_machine import MemoryMachine
from cardume.hostops.metrics.host_meter import HostMeter
from cardume.hostops.metrics.memory_meter import MemoryHost, memory_meter
from cardume.hostops.network.memory_bridges import MemoryBridges
from cardume.hostops.network.memory_network import MemoryNetwork
from cardume.hostops.storage.memory_copier import MemoryCopier
from cardume.hostops.storage.memory_driver import MemoryDriver, MemoryShelf
from cardume.messages.call import Caller
from cardume.messages.certificate import record_certificate
from cardume.messages.inventory import ThisHost, record_host
from cardume.messages.lifecycle import derive_allowed_operations
from cardume.messages.session import Identity
from cardume.messages.vm_migration import MigrationSlots
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects

GIB = 2**30

FACTS = HostFacts(
    hostname="d1-g1",
    machine_id="0" * 32,
    cpu=CPU(4, 1, 4, 1, "GenuineIntel", "Test CPU", 2400.0, "6", "85", "7", ("sse", "vmx")),
    memory=Memory(8 * GIB, 7 * GIB),
    boot_time=1_790_000_000.0,
    kernel="6.1.0",
    architecture="x86_64",
    distro=Distro("debian", "12", "Debian GNU/Linux 12 (bookworm)"),
    dmi={"sys_vendor": "Test"},
    qemu_version="7.2.22",
    libvirt_version="9.0.0",
    nics=(
        NIC("eth0", "02:00:00:00:00:01", True, 1000, 1500, "xenbr0", IPv4("10.0.0.11", "255.255.255.0", "10.0.0.1")),
    ),
    dns=("10.0.0.1",),
)


class AnyPassword:
    """Lets root in with the password `secret`."""

    async def verify(self, user: str, password: str, address: str) -> Identity | None:
        return Identity("root", Role.LOCAL_ROOT, is_local_superuser=True) if password == "secret" else None

    async def change(self, user: str, password: str) -> None:
        raise NotImplementedError


@dataclass
class FakeHost:
    """The parts that tests reach into, and the API's address."""

    guests: MemoryGuests
    disks: MemoryDriver
    luns: MemoryDriver
    isos: MemoryDriver
    bridges: MemoryBridges
    network: MemoryNetwork
    machine: MemoryMachine
    metal: MemoryHost
    meter: HostMeter
    hands: Hands
    store: MemoryStore
    db: Objects
    port: int
    access: HttpAccess

    async def login(self) -> "Client":
        session = XenAPI.Session(f"https://127.0.0.1:{self.port}", ignore_ssl=True)
        await asyncio.to_thread(session.xenapi.login_with_password, "root", "secret")
        return Client(session)


class Client:
    """Calls of the XenAPI package, off the event loop that serves them."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def __call__(self, method: str, *params: Any) -> Any:
        return await asyncio.to_thread(self._session.xenapi_request, method, params)

    @property
    def session(self) -> str:
        """The session's reference, for HTTP handlers."""
        return str(self._session._session)

    async def refused(self, method: str, *params: Any) -> list[str]:
        """The error that a call is refused with, as `[code, parameter…]`."""
        with pytest.raises(XenAPI.Failure) as refusal:
            await self(method, *params)
        return [str(detail) for detail in refusal.value.details]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[FakeHost]:
    load_messages()
    store = MemoryStore()
    shelf = MemoryShelf(folder=str(tmp_path))
    disks, isos = MemoryDriver(shelf, type="ext"), MemoryDriver(shelf, type="iso")
    luns = MemoryDriver(shelf, type="lvmoiscsi")
    guests, bridges, network, machine = MemoryGuests(), MemoryBridges(), MemoryNetwork(FACTS.nics), MemoryMachine()
    db = await Objects.open(store)
    db.derive_with(derive_allowed_operations)
    uuid = "11111111-1111-4111-8111-111111111111"
    metal = MemoryHost()
    meter = memory_meter(guests, tmp_path / "rrd", uuid, metal)
    storage = {"ext": disks, "lvmoiscsi": luns, "iso": isos}
    hands = Hands(guests, storage, MemoryCopier(shelf), bridges, network, machine, meter)
    this = ThisHost(uuid, "d1-g1", "xenbr0", time.time(), await network.configured())
    ref = await record_host(db, this, FACTS, hands.storage, "tcg")
    files = HostFiles(tmp_path / "host.pem", tmp_path / "host.key")
    certificate = ServedCertificate(files, names=lambda: ["localhost"], addresses=lambda: ["127.0.0.1"])
    await record_certificate(db, ref, await certificate.pem())
    upkeep = Upkeep(db, hands, ref)
    await upkeep.recover()
    blobs = BlobFiles(tmp_path / "blobs")
    restarts = asyncio.Event()
    parts = Parts(
        db=db,
        hosts=Members(db, hands, ref),
        localhost=ref,
        authenticator=AnyPassword(),
        passwords=AnyPassword(),
        services={"blobs": blobs, "certificate": certificate, "migrations": MigrationSlots()},
        handlers={
            **blob_handlers(db, blobs),
            **console_handlers(db, Members(db, hands, ref), check_s=0.05),
            **xva_handlers(db, Members(db, hands, ref), ref),
            **disk_image_handlers(db, Members(db, hands, ref), ref, tmp_path / "scratch"),
            **pool_dump_handlers(db, restarts.set),
            **metric_handlers(db, meter, Histories(db, Members(db, hands, ref), ref).find),
        },
        start_xe=lambda words, session: thin_xe(server.port)(words, session),
    )
    listen = Listen(tls=certificate.context, address="127.0.0.1", port=0)

    async def start_vm(vm: Ref[Any]) -> None:
        raise AssertionError(f"{vm} was to be started again")

    root = Caller(NULL, "root", Role.LOCAL_ROOT, is_local_superuser=True)

    async def run_task(label: str, work: Work) -> None:
        await server.tasks.run(label, root, work)

    async with serve(parts, listen) as server, upkeep.running(start_vm, run_task):
        yield FakeHost(
            guests,
            disks,
            luns,
            isos,
            bridges,
            network,
            machine,
            metal,
            meter,
            hands,
            store,
            db,
            server.port,
            server.access,
        )
    await db.close()


@pytest.fixture
async def api(host: FakeHost) -> Client:
    return await host.login()


@pytest.fixture
async def sr(api: Client) -> str:
    """An attached repository, the pool's default."""
    (member,) = await api("host.get_all")
    sr: str = await api("SR.create", member, {"location": "a"}, "0", "Local storage", "", "ext", "user", False, {})
    (pool,) = await api("pool.get_all")
    await api("pool.set_default_SR", pool, sr)
    return sr


@pytest.fixture
async def vm(api: Client, sr: str) -> str:
    """A halted VM with a disk of 1 GiB, a CD drive and a card, made as clients make one."""
    (template,) = await api("VM.get_by_name_label", "Linux")
    vm: str = await api("VM.clone", template, "web")
    await api("VM.remove_from_other_config", vm, "disks")
    await api("VM.provision", vm)
    await api("VM.set_memory_limits", vm, str(GIB // 8), str(GIB // 4), str(GIB // 4), str(GIB // 4))
    disk = await api("VDI.create", vdi_record(sr))
    await api("VBD.create", vbd_record(vm, disk))
    (network, *_) = await api("network.get_all")
    await api("VIF.create", vif_record(vm, network))
    return vm


def vdi_record(sr: str, size: int = GIB, **more: Any) -> dict[str, Any]:
    record = {
        "name_label": "disk",
        "name_description": "",
        "SR": sr,
        "virtual_size": str(size),
        "type": "user",
        "sharable": False,
        "read_only": False,
        "other_config": {},
    }
    return {**record, **more}


def vbd_record(vm: str, vdi: str = "OpaqueRef:NULL", **more: Any) -> dict[str, Any]:
    record = {
        "VM": vm,
        "VDI": vdi,
        "userdevice": "autodetect",
        "bootable": False,
        "mode": "RW",
        "type": "Disk",
        "empty": False,
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }
    return {**record, **more}


def vif_record(vm: str, network: str, **more: Any) -> dict[str, Any]:
    record = {
        "VM": vm,
        "network": network,
        "device": "0",
        "MAC": "",
        "MTU": "1500",
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }
    return {**record, **more}


async def eventually(condition: Callable[[], Any], timeout_s: float = 60) -> None:
    """Wait until something is true; fail when it is not in time."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)
