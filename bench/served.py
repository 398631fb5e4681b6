"""`python -m bench.served`: a server of its own process, over a database in memory, steered by lines on its input.

`touch` changes one VM and answers with the moment just before; `memory` answers with what the process holds
and the processor time that it has used.
"""

import asyncio
import gc
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cardume.api.server import Listen, Parts, serve
from cardume.api.tls import HostFiles, ensure_certificate, server_context
from cardume.daemons.members import Members
from cardume.datamodel.host import Host
from cardume.datamodel.host_metrics import HostMetrics
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, new_ref
from cardume.datamodel.roles import Role
from cardume.datamodel.vm import VM
from cardume.hostops.guests.memory_guests import MemoryGuests
from cardume.hostops.hands import Hands
from cardume.hostops.machine.memory_machine import MemoryMachine
from cardume.hostops.metrics.memory_meter import memory_meter
from cardume.hostops.network.memory_bridges import MemoryBridges
from cardume.hostops.network.memory_network import MemoryNetwork
from cardume.hostops.storage.memory_copier import MemoryCopier
from cardume.hostops.storage.memory_driver import MemoryShelf
from cardume.messages.session import Identity
from cardume.messages.templates import blank_vm
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects


class _Anybody:
    async def verify(self, user: str, password: str, address: str) -> Identity | None:
        return Identity("root", Role.LOCAL_ROOT, is_local_superuser=True)

    async def change(self, user: str, password: str) -> None:
        raise NotImplementedError("the benchmark changes no password")


async def main(vms: int) -> None:
    """Serve until the input ends."""
    async with _served(vms) as (db, port):
        gc.freeze()  # as the daemon does not restart between its start and its work, neither does this
        _say({"port": port})
        (ref, *_) = db.all(VM)
        turn = 0
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            if line == "touch":
                turn += 1
                at_s = time.monotonic()
                await db.update(ref, name_label=f"turn {turn}")
                _say({"at_s": at_s})
            elif line == "memory":
                _say({"mib": resident_mib(), "cpu_s": time.process_time()})


def resident_mib() -> float:
    """What this process holds in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell")


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


@asynccontextmanager
async def _served(vms: int) -> AsyncIterator[tuple[Objects, int]]:
    db = await Objects.open(MemoryStore())
    metrics = await db.create(HostMetrics(live=True, memory_total=64 << 30))
    host = await db.create(
        Host(name_label="d1-g1", hostname="d1-g1", address="127.0.0.1", metrics=metrics, **_host_rest())
    )
    await db.create(Pool(name_label="pool-g1", master=host, **_pool_rest()))
    for begin in range(0, vms, 500):
        async with db.transaction() as txn:
            for number in range(begin, min(begin + 500, vms)):
                txn.create(_vm(number))
    guests = MemoryGuests()
    copier, machine, meter = MemoryCopier(MemoryShelf()), MemoryMachine(), memory_meter(guests, Path("/nonexistent"))
    hands = Hands(guests, {}, copier, MemoryBridges(), MemoryNetwork(()), machine, meter)
    with tempfile.TemporaryDirectory() as folder:
        files = HostFiles(Path(folder) / "host.pem", Path(folder) / "host.key")
        ensure_certificate(files, names=["localhost"], addresses=["127.0.0.1"])
        parts = Parts(db, Members(db, hands, host), host, _Anybody(), _Anybody())
        async with serve(parts, Listen(tls=server_context(files), address="127.0.0.1", port=0)) as server:
            yield db, server.port
    await db.close()


def _host_rest() -> dict[str, Any]:
    return {
        "enabled": True,
        "capabilities": (),
        "software_version": {},
        "logging": {},
        "other_config": {},
        "suspend_image_sr": NULL,
        "crash_dump_sr": NULL,
    }


def _pool_rest() -> dict[str, Any]:
    return {
        "name_description": "",
        "default_SR": NULL,
        "suspend_image_SR": NULL,
        "crash_dump_SR": NULL,
        "other_config": {},
        "cpu_info": {},
        "restrictions": {},
    }


def _vm(number: int) -> VM:
    return blank_vm(
        f"vm-{number:04}",
        "a VM like many",
        memory=1 << 30,
        vcpus=2,
        platform={"acpi": "1", "nx": "true", "vga": "std"},
        other_config={"auto_poweron": "true", "note": str(new_ref())},
        is_a_template=False,
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
