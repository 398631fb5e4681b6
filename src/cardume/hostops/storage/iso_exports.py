"""ISO files of NFS servers, each served to the guests of this host on a Unix socket by a small QEMU daemon.

QEMU itself opens an ISO of a read-only export for writing and is refused, so a `qemu-storage-daemon` opens it
read-only. It runs as a systemd unit of its own: guests keep their CDs while our daemon restarts, and the unit, not
our memory, says that it runs. Who uses it is known twice: by our own count of `open` calls, and by the connections
the kernel knows, which are right after a restart too. It ends when neither knows a user.
"""

import asyncio
import grp
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from cardume.hostops.errors import RunError, StorageError, StorageUnreachable
from cardume.hostops.guests.guest import NBDSource
from cardume.hostops.run import run
from cardume.hostops.storage.nfs import NfsFolder

EXPORT = "iso"
SOCKETS = "/run/cardume/nbd"
_GREETING = b"NBDMAGIC"
_GREETING_S = 5.0
_SYSTEMCTL_S = 30.0
_LEAVING_LOOKS, _LOOK_S = 10, 0.1
_QEMU_GROUPS = ("libvirt-qemu", "qemu", "kvm")  # as Debian, Fedora and plain QEMU name them

log = structlog.get_logger(__name__)


class IsoExports:
    """The ISO daemons of this host."""

    def __init__(self, sockets: str = SOCKETS) -> None:
        self._sockets = Path(sockets)
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def key(self, owner: str, folder: NfsFolder, name: str) -> str:
        """The name of the daemon for one file, the same at every call: there are never two."""
        return f"{owner}.{hashlib.sha256(f'{folder.url}/{name}'.encode()).hexdigest()[:16]}"

    async def start(self, key: str, folder: NfsFolder, name: str, *, timeout_s: float) -> NBDSource:
        """Have the file served, by the daemon that runs already or a new one."""
        async with self._locks[key]:
            socket = self._sockets / f"{key}.sock"
            if not await self._is_active(key):
                await asyncio.to_thread(self._make_folder)
                await self._start_unit(key, str(socket), folder, name, timeout_s)
            await _assert_answers(str(socket))
            socket.chmod(0o666)  # made 0750; QEMU's user has to write to it, and the folder keeps others out
            return NBDSource(str(socket), EXPORT)

    async def stop_unused(self, key: str) -> bool:
        """End the daemon unless a guest is connected to it; True when it is gone."""
        async with self._locks[key]:
            if await self._has_clients(key):
                return False
            if await self._is_active(key):
                await run("systemctl", "stop", unit_name(key), timeout_s=_SYSTEMCTL_S)
                log.info("iso_export_stopped", unit=unit_name(key))
            (self._sockets / f"{key}.sock").unlink(missing_ok=True)
            return True

    def list_keys(self, owner: str) -> tuple[str, ...]:
        """The daemons that were started for an owner and not ended, also before our last restart."""
        return tuple(sorted(path.stem for path in self._sockets.glob(f"{owner}.*.sock")))

    def count_clients(self, key: str) -> int:
        """How many connections the daemon has now."""
        path = str(self._sockets / f"{key}.sock")
        return count_connections(Path("/proc/net/unix").read_text(errors="replace"), path)

    async def _has_clients(self, key: str) -> bool:
        """True when somebody stays connected; one that is just leaving is waited for."""
        for _ in range(_LEAVING_LOOKS):
            if not self.count_clients(key):
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    async def _is_active(self, key: str) -> bool:
        state = await run(
            *("systemctl", "show", "--property=ActiveState", "--value", unit_name(key)), timeout_s=_SYSTEMCTL_S
        )
        return state.strip() in ("active", "activating", "reloading")

    async def _start_unit(self, key: str, socket: str, folder: NfsFolder, name: str, timeout_s: float) -> None:
        unit = unit_name(key)
        try:
            await run(*start_command(unit, socket, folder, name, timeout_s), timeout_s=timeout_s + 5)
        except BaseException as error:
            # Cancelled or too late: the unit would go on trying, and appear after we said it had failed.
            await asyncio.shield(_end_unit(unit))
            (self._sockets / f"{key}.sock").unlink(missing_ok=True)
            if not isinstance(error, RunError):
                raise
            raise StorageUnreachable(f"{folder.url}/{name} cannot be served: {await _last_words(unit)}") from error
        log.info("iso_export_started", unit=unit, file=f"{folder.url}/{name}")

    def _make_folder(self) -> None:
        """Make the folder of the sockets: QEMU's group may pass, nobody else."""
        self._sockets.mkdir(parents=True, exist_ok=True)
        for name in _QEMU_GROUPS:
            try:
                os.chown(self._sockets, 0, grp.getgrnam(name).gr_gid)
                break
            except KeyError:
                continue
        self._sockets.chmod(0o710)


def unit_name(key: str) -> str:
    """The systemd unit of a daemon."""
    return f"cardume-iso-{key}.service"


def start_command(unit: str, socket: str, folder: NfsFolder, name: str, timeout_s: float) -> Sequence[str]:
    """The command that returns when the file is served, and fails when it cannot be."""
    image = {
        "driver": "raw",
        "node-name": "image",
        "read-only": True,
        "file": {
            "driver": "nfs",
            "server": {"type": "inet", "host": folder.server},
            "path": f"{folder.path.rstrip('/')}/{name}",
        },
    }
    server = {"addr": {"type": "unix", "path": socket}}
    export = {"type": "nbd", "id": "export", "node-name": "image", "name": EXPORT, "writable": False}
    return (
        *("systemd-run", "--quiet", "--collect", f"--unit={unit}", "--description=Cardume: an ISO file"),
        *("--property=Type=forking", f"--property=TimeoutStartSec={timeout_s:g}", "--property=TimeoutStopSec=5"),
        *("--property=NoNewPrivileges=yes", "--property=ProtectHome=yes"),
        *("qemu-storage-daemon", "--daemonize"),
        *("--blockdev", _option(image), "--nbd-server", _option(server), "--export", _option(export)),
    )


def _option(value: Mapping[str, object]) -> str:
    """A value as JSON, without the letters that systemd would expand in a unit's command line."""
    return json.dumps(value).replace("$", "\\u0024").replace("%", "\\u0025")


def count_connections(table: str, path: str) -> int:
    """How many clients a listening socket has, from the text of /proc/net/unix."""
    connected = 0
    for line in table.splitlines()[1:]:
        fields = line.split(maxsplit=7)
        connected += len(fields) == 8 and fields[5] == "03" and fields[7] == path
    return connected


async def _assert_answers(socket: str) -> None:
    """Raise StorageUnreachable unless a daemon greets on the socket."""
    try:
        async with asyncio.timeout(_GREETING_S):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                greeting = await reader.readexactly(len(_GREETING))
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise StorageUnreachable(f"the ISO daemon at {socket} does not answer: {error!r}") from error
    if greeting != _GREETING:
        raise StorageError(f"{socket} is not served by an ISO daemon")


async def _end_unit(unit: str) -> None:
    try:
        await run("systemctl", "stop", unit, timeout_s=_SYSTEMCTL_S)
    except RunError:
        pass  # it ended by itself


async def _last_words(unit: str) -> str:
    try:
        text = await run("journalctl", "--unit", unit, "--lines=3", "--output=cat", "--quiet", timeout_s=5)
    except RunError:
        text = ""
    return text.strip() or "see the journal"
