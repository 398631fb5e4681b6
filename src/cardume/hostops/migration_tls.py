"""TLS for guests on their way to another host: libvirtd listens for the pool's hosts, QEMU sends over TLS.

Both know each other by the certificates that the pool's authority gave its hosts. libvirt and QEMU have fixed places
for these; they get copies, made anew when the host joins a pool or its certificate is renewed.
"""

import asyncio
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

import structlog

from cardume.hostops.durable import write_text
from cardume.hostops.errors import RunError
from cardume.hostops.run import run

QEMU_USER = "libvirt-qemu"
QEMU_FOLDER = Path("/etc/pki/cardume")
LIBVIRT_FOLDER = Path("/etc/pki")
QEMU_CONF = Path("/etc/libvirt/qemu.conf")
SOCKETS = ("libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket")
TLS_SOCKET = "libvirtd-tls.socket"
_STEP_S = 60.0
_SETTINGS = {"migrate_tls_x509_cert_dir": f'"{QEMU_FOLDER}"', "migrate_tls_x509_verify": "1"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """The PEM files by which a host is known in its pool."""

    authority: Path
    certificate: Path
    key: Path


async def ready_for_migration(identity: HostIdentity) -> bool:
    """Let libvirt and QEMU know this identity, and libvirtd listen; False when that fails, which the log tells.

    Call it before anything talks to libvirtd: it is started anew when it did not listen yet. Guests do not notice.
    """
    try:
        has_new_files = await asyncio.to_thread(_install, identity)
        has_new_settings = await asyncio.to_thread(_configure)
        if has_new_settings or not await _listens():
            # systemd gives a service no further socket while it runs, and any client would start it again.
            await run("systemctl", "stop", "libvirtd.service", *SOCKETS, timeout_s=_STEP_S)
            await run("systemctl", "enable", "--quiet", TLS_SOCKET, timeout_s=_STEP_S)
            await run("systemctl", "start", TLS_SOCKET, "libvirtd.service", timeout_s=_STEP_S)
        elif has_new_files:
            await run("virt-admin", "server-update-tls", "libvirtd", timeout_s=_STEP_S)
    except (RunError, OSError, KeyError) as error:
        log.error("not_ready_for_migration", reason=str(error))
        return False
    return True


async def _listens() -> bool:
    try:
        await run("systemctl", "is-active", "--quiet", TLS_SOCKET, timeout_s=_STEP_S)
    except RunError:
        return False
    return True


def _install(identity: HostIdentity) -> bool:
    """Put the copies where they are looked for; True when any is new."""
    authority, certificate = identity.authority.read_text(), identity.certificate.read_text()
    key = identity.key.read_text()
    user = pwd.getpwnam(QEMU_USER).pw_uid
    changed = [
        _put(LIBVIRT_FOLDER / "CA/cacert.pem", authority, 0o644, 0),
        _put(QEMU_FOLDER / "ca-cert.pem", authority, 0o644, user),
    ]
    for side in ("server", "client"):
        changed += [
            _put(LIBVIRT_FOLDER / f"libvirt/{side}cert.pem", certificate, 0o644, 0),
            _put(LIBVIRT_FOLDER / f"libvirt/private/{side}key.pem", key, 0o600, 0),
            _put(QEMU_FOLDER / f"{side}-cert.pem", certificate, 0o644, user),
            _put(QEMU_FOLDER / f"{side}-key.pem", key, 0o600, user),
        ]
    return any(changed)


def _put(path: Path, text: str, mode: int, owner: int) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    for folder in reversed([*path.parents][: len(path.parts) - len(LIBVIRT_FOLDER.parts)]):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # whatever our umask is: QEMU's own user has to pass
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), mode)
        os.fchown(file.fileno(), owner, -1)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return True


def _configure() -> bool:
    """Say in QEMU's settings where the certificates are; True when it was not said yet."""
    text = QEMU_CONF.read_text() if QEMU_CONF.exists() else ""
    wanted = configured(text)
    if wanted == text:
        return False
    write_text(QEMU_CONF, wanted)
    return True


def configured(text: str) -> str:
    """The settings with ours in them; an administrator's own lines of the same names give way."""
    kept = [line for line in text.splitlines() if line.partition("=")[0].strip() not in _SETTINGS]
    return "\n".join([*kept, *(f"{name} = {value}" for name, value in _SETTINGS.items())]) + "\n"
