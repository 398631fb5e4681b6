"""`cardume host setup`: makes a Linux machine with libvirt a host. Done twice, it changes nothing."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cardume.api.tls import ensure_certificate
from cardume.core.passwords import hash_password
from cardume.daemons.accounts import AccountFile
from cardume.daemons.certificate import certificate_addresses, certificate_names
from cardume.daemons.config import CONFIG, Config, load, render
from cardume.datamodel.refs import new_uuid
from cardume.had import unit as had_unit
from cardume.hostops import etcd_service
from cardume.hostops.durable import write_text
from cardume.hostops.host_facts import read_nics
from cardume.hostops.libvirt_setup import configure_libvirt
from cardume.hostops.network.management import apply, find_management_nic, plan_host_bridges
from cardume.hostops.network.undo import UNDO_FILE
from cardume.hostops.run import run

UNIT = Path("/etc/systemd/system/cardumed.service")
NETWORK_UNIT = Path("/etc/systemd/system/cardume-network.service")
ETCD_UNIT = Path("/etc/systemd/system") / etcd_service.UNIT
HAD_UNIT = Path("/etc/systemd/system") / had_unit.UNIT
START_S = 120.0

PROGRAMS = {
    "libvirtd": "libvirt-daemon-system",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-system-common",
    "nfs-ls": "libnfs-utils",
    "ip": "iproute2",
    "etcd": "etcd-server",
}
"""What a host needs, and the Debian package that brings it."""


class SetupError(Exception):
    """Setup cannot go on; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the administrator says; empty: what is there already, or found by looking."""

    name_label: str = ""
    password: str = ""
    management_interface: str = ""


async def setup(wishes: Wishes, say: Callable[[str], None]) -> Config:
    """Set this host up and start its daemon; `say` is told each step. SetupError when it cannot be done."""
    _check_programs()
    config = _configuration(wishes)
    for folder, mode in ((config.state, 0o711), (config.state / "sr", 0o711), (config.state / "tls", 0o700)):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    say("management bridge")
    await apply(await plan_host_bridges(wishes.management_interface or await find_management_nic()))
    say("accounts and certificate")
    await _keep_password(config, wishes.password)
    await _make_certificate(config)
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    write_text(CONFIG, render(config))
    say("libvirt")
    await configure_libvirt()
    say("cardumed.service")
    await _start_daemon(config.state)
    return config


def _check_programs() -> None:
    if os.geteuid() != 0:
        raise SetupError("setup changes the network and system services: run it as root")
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        raise SetupError(f"missing here: install {' '.join(missing)} and run this again")


def _configuration(wishes: Wishes) -> Config:
    if CONFIG.exists():
        config = load()
        return replace(config, name_label=wishes.name_label) if wishes.name_label else config
    return Config(host_uuid=new_uuid(), name_label=wishes.name_label or os.uname().nodename)


async def _keep_password(config: Config, password: str) -> None:
    accounts = AccountFile(config.passwords)
    if password:
        await accounts.set_password("root", hash_password(password))
    elif accounts.find_password("root") is None:
        raise SetupError("the API's user root has no password yet: give one with --password-file")


async def _make_certificate(config: Config) -> None:
    addresses = certificate_addresses(await read_nics())
    ensure_certificate(config.tls_files, names=certificate_names(os.uname().nodename), addresses=addresses)


async def _start_daemon(state: Path) -> None:
    units = {
        UNIT: unit_text(Path(sys.executable).with_name("cardumed")),
        NETWORK_UNIT: network_unit_text(Path(sys.executable), state),
        ETCD_UNIT: etcd_service.unit_text(state),
        HAD_UNIT: had_unit.unit_text(Path(sys.executable).with_name("cardume-had")),
    }
    written = [path for path, text in units.items() if _write_unit(path, text)]
    if written:
        await run("systemctl", "daemon-reload", timeout_s=START_S)
    # The package starts an etcd of its own at every boot: open on the loopback, and in the way of ours.
    await run("systemctl", "mask", "--now", "--quiet", etcd_service.PACKAGED_UNIT, timeout_s=START_S)
    await run("systemctl", "enable", "--quiet", UNIT.name, NETWORK_UNIT.name, HAD_UNIT.name, timeout_s=START_S)
    # Not started again when it runs: it may hold this host.
    await run("systemctl", "start", HAD_UNIT.name, timeout_s=START_S)
    await run("systemctl", "restart", UNIT.name, timeout_s=START_S)


def _write_unit(path: Path, text: str) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    write_text(path, text)
    return True


def unit_text(program: Path) -> str:
    """The systemd unit of cardumed. Guests are no children of it: libvirt runs each in a scope of its own.

    What it runs for clients may be ended for want of memory: the daemon itself goes on.
    """
    return f"""\
[Unit]
Description=Cardume pool daemon
Wants=libvirtd.service network-online.target
After=libvirtd.service network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={program}
Restart=always
RestartSec=1
TimeoutStartSec=120
TimeoutStopSec=60
KillMode=mixed
OOMPolicy=continue
RuntimeDirectory=cardume
RuntimeDirectoryMode=0711
RuntimeDirectoryPreserve=yes
UMask=0077
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""


def network_unit_text(python: Path, state: Path) -> str:
    """The unit that takes an unfinished change of the network back before networkd reads its files."""
    return f"""\
[Unit]
Description=Cardume: the network as it was before an unfinished change
DefaultDependencies=no
RequiresMountsFor={state}
Before=systemd-networkd.service network-pre.target
Wants=network-pre.target
ConditionPathExists={state / UNDO_FILE}

[Service]
Type=oneshot
ExecStart={python} -m cardume.hostops.network.undo {state}

[Install]
WantedBy=multi-user.target
"""
