"""The host's own etcd: started and stopped on cardumed's word alone, never by a boot.

A member that starts by itself on old data can make the member that holds the truth end itself, so the unit has no
`[Install]` and cannot be enabled. cardumed asks the pool first, then starts it, or sets its data aside.
"""

import asyncio
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cardume.hostops.durable import sync_folder, write_text
from cardume.hostops.errors import RunError
from cardume.hostops.run import run

UNIT = "cardume-etcd.service"
PACKAGED_UNIT = "etcd.service"  # of the Debian package: on data of its own, without TLS
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What systemd says of it. An end with status 0 that nobody asked for: the cluster has removed this member."""

    active: bool
    result: str
    exit_status: int


class EtcdService:
    """etcd below a state directory: data in `etcd`, its settings in `etcd.json`."""

    def __init__(self, state: Path) -> None:
        self.data = state / "etcd"
        self.aside = state / "etcd.aside"
        self.backup = state / "etcd.before-recovery"
        self._settings = state / "etcd.json"

    @property
    def has_data(self) -> bool:
        return (self.data / "member").is_dir()

    async def start(self, settings: str) -> None:
        """Start it with these settings; returns when the program runs, which is before it serves anybody."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data.chmod(0o700)  # etcd insists
        self.keep(settings)
        await run("systemctl", "start", UNIT, timeout_s=TIMEOUT_S)

    async def start_again(self) -> None:
        """Start it with the settings of its last start; nothing happens when it runs."""
        await run("systemctl", "start", UNIT, timeout_s=TIMEOUT_S)

    def kept(self) -> str:
        """The settings of its last start; empty when there was none."""
        return self._settings.read_text() if self._settings.exists() else ""

    def keep(self, settings: str) -> None:
        """Have the next start, after a crash too, use these settings."""
        write_text(self._settings, settings, mode=0o600)

    async def stop(self) -> None:
        """Stop it; returns when it has ended, also when it did not run."""
        await run("systemctl", "stop", UNIT, timeout_s=TIMEOUT_S)

    async def state(self) -> ServiceState:
        properties = ("ActiveState", "Result", "ExecMainStatus")
        wanted = [f"--property={name}" for name in properties]
        told = await run("systemctl", "show", *wanted, UNIT, timeout_s=TIMEOUT_S)
        found = dict(line.partition("=")[::2] for line in told.splitlines())
        active = found.get("ActiveState") in ("active", "activating", "reloading")
        return ServiceState(active, found.get("Result", ""), int(found.get("ExecMainStatus") or 0))

    async def forget(self) -> None:
        """Stop it, and remove its data with every copy: they are a pool's that this host has left."""
        await self._kill()
        for folder in (self.data, self.aside, self.backup):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        self._settings.unlink(missing_ok=True)

    async def end(self) -> None:
        """End it at once, and have nothing start it again; its data stays as a power cut would leave it."""
        await self._kill()

    async def set_aside(self) -> None:
        """Make room for a new beginning: the old data is kept until the next time, out of etcd's reach."""
        await self._kill()
        if self.data.exists():
            if self.aside.exists():
                await asyncio.to_thread(shutil.rmtree, self.aside)
            self.data.rename(self.aside)
            sync_folder(self.data.parent)

    async def _kill(self) -> None:
        """End it at once: without a majority it would wait for one, and its data is not asked any more."""
        with suppress(RunError):  # it ended by itself, as a member that was removed does
            await run("systemctl", "kill", "--signal=SIGKILL", UNIT, timeout_s=TIMEOUT_S)
        await self.stop()


def unit_text(state: Path) -> str:
    """The systemd unit. It runs as root without any of root's privileges: its files are root's, and it has no more."""
    return f"""\
[Unit]
Description=Cardume: this host's copy of the pool database
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/usr/bin/etcd --config-file={state}/etcd.json
Restart=on-failure
RestartSec=1
TimeoutStopSec=20
UMask=0077
LimitNOFILE=65536
OOMScoreAdjust=-500
IOSchedulingClass=best-effort
IOSchedulingPriority=0
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths={state}/etcd
ProtectHome=yes
PrivateTmp=yes
"""
