"""Root file systems of the lab's boxes, made by mmdebstrap from the machine's own mirrors."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cardume.lab.cache import Progress, built, key_of
from cardume.lab.programs import run

SUITE = "bookworm"
TIMEOUT_S = 1200.0
_ARCHIVES = ("", "-updates", "-security")


@dataclass(frozen=True)
class Recipe:
    """What a root file system is made from."""

    name: str
    packages: tuple[str, ...]
    enabled: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return key_of(1, SUITE, self.packages, self.enabled, self.masked, dict(self.files), self.removed)


_SYSTEM = ("systemd", "systemd-sysv", "dbus", "iproute2", "iputils-ping", "e2fsprogs", "procps")
_NOISE = (  # units that have nothing to do in a container, or would fail there
    "console-getty.service",
    "getty@.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "e2scrub_reap.service",
    "e2scrub_all.timer",
    "fstrim.timer",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
)
_FILES = {
    # A shutdown in order writes everything; the lab drops what is unwritten whenever a box stops.
    "usr/lib/systemd/system-shutdown/sync": "#!/bin/sh\nexec sync\n",
    # A host edits a shadow of a LUN's first megabyte on a loop device; containers begin without device nodes.
    "etc/tmpfiles.d/cardume-loop.conf": "c /dev/loop-control 0660 root disk - 10:237\n"
    + "".join(f"b /dev/loop{n} 0660 root disk - 7:{n}\n" for n in range(64)),
    "etc/systemd/journald.conf.d/cardume.conf": "[Journal]\nStorage=persistent\nSystemMaxUse=64M\n",
    "etc/systemd/system.conf.d/cardume.conf": "[Manager]\nDefaultTimeoutStopSec=20s\n",
}

HOST = Recipe(
    name="host",
    packages=(
        *_SYSTEM,
        "python3",
        "python3-venv",
        "libvirt-daemon-system",
        "libvirt-daemon-system-systemd",
        "libvirt-clients",
        "qemu-system-x86",
        "qemu-utils",
        "qemu-block-extra",
        "ovmf",
        "etcd-server",
        "etcd-client",
        "libiscsi7",
        "libiscsi-bin",
        "libnfs13",
        "libnfs-utils",
        "lvm2",
        "openssl",
    ),
    enabled=("systemd-networkd.service", "libvirtd.service"),
    masked=(*_NOISE, "etcd.service", "lvm2-monitor.service", "lvm2-lvmpolld.socket", "libvirt-guests.service"),
    files=_FILES,
    # libvirt's own network would put a second bridge and a DHCP server on every host.
    removed=("etc/libvirt/qemu/networks/autostart/default.xml",),
)

FREENAS = Recipe(
    name="freenas",
    packages=(*_SYSTEM, "tgt", "nfs-ganesha", "nfs-ganesha-vfs", "rpcbind", "dnsmasq"),
    enabled=("systemd-networkd.service", "systemd-networkd-wait-online.service"),
    # Kerberos and lock services of the kernel's NFS: nothing here uses them, and the kernel may have none.
    masked=(*_NOISE, "run-rpc_pipefs.mount", "rpc-gssd.service", "nfs-ganesha-lock.service", "rpc-statd.service"),
    files=_FILES,
    removed=("etc/tgt/conf.d", "etc/exports"),
)

BUILD = Recipe(
    name="build",
    packages=(
        "gcc",
        "libc6-dev",
        "python3-dev",
        "python3-pip",
        "python3-setuptools",
        "python3-wheel",
        "libvirt-dev",
        "pkg-config",
    ),
)


def root_file_system(cache: Path, recipe: Recipe, progress: Progress) -> Path:
    """The root file system of a recipe, from the cache or built now (about a minute)."""

    def build(fresh: Path) -> None:
        bootstrap(recipe, fresh, progress)
        _configure(recipe, fresh)

    return built(cache, recipe.name, recipe.key, build, progress)


def bootstrap(recipe: Recipe, root: Path, progress: Progress) -> None:
    """Fill a directory with Debian and the recipe's packages."""
    settings = root.with_name(f"{root.name}.apt.conf")
    settings.write_text(_apt_settings())

    def show(line: str) -> None:
        if line.startswith("I: "):
            progress(recipe.name, line[3:].rstrip("."))

    try:
        run(
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--format=directory",
            f"--aptopt={settings}",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            f"--include={','.join(recipe.packages)}",
            SUITE,
            str(root),
            *_mirrors(),
            timeout_s=TIMEOUT_S,
            on_line=show,
        )
    finally:
        settings.unlink()
    # Mirrors, proxies and addresses are this machine's; the image must not know them.
    for path in ("etc/apt/sources.list", "etc/apt/apt.conf.d/99mmdebstrap", "etc/resolv.conf", "etc/hostname"):
        (root / path).unlink(missing_ok=True)
    (root / "etc/machine-id").write_text("")


def _apt_settings() -> str:
    """The machine's own settings for fetching packages (proxies, certificates, retries), for mmdebstrap's apt."""
    theirs = ("Acquire::http", "Acquire::https", "Acquire::ftp", "Acquire::Retries", "Acquire::Check", "Acquire::Force")
    lines = run("apt-config", "dump", "Acquire", timeout_s=60).splitlines()
    return "".join(f"{line}\n" for line in lines if line.startswith(theirs))


def _mirrors() -> list[str]:
    """Lines of sources.list for the suite, from the places where this machine gets its own Debian.

    Nothing when the machine is not a Debian: mmdebstrap then knows the public mirror.
    """
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    if release.get("ID", "").strip('"') != "debian" or not codename:
        return []
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    known = run("apt-get", "indextargets", "--format", form, "Created-By: Packages", timeout_s=60)
    return mirror_lines(known, codename)


def mirror_lines(known: str, codename: str) -> list[str]:
    """The machine's own mirrors as lines of sources.list for the lab's suite; none unless its main archive is known."""
    lines = []
    for target in dict.fromkeys(known.splitlines()):
        uri, _, rest = target.partition(" ")
        release, _, component = rest.partition(" ")
        archive = release.removeprefix(codename)
        if component == "main" and release.startswith(codename) and archive in _ARCHIVES:
            lines.append(f"deb {uri} {SUITE}{archive} main")
    main = [line for line in lines if line.endswith(f" {SUITE} main")]
    return lines if main else []


def _configure(recipe: Recipe, root: Path) -> None:
    for path, text in recipe.files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755 if text.startswith("#!") else 0o644)
    for path in recipe.removed:
        run("rm", "-rf", str(root / path), timeout_s=60)
    if recipe.masked:
        # Masked, not disabled: a package's socket or timer would start them all the same.
        in_root(root, "systemctl", "mask", *recipe.masked, timeout_s=60)
    if recipe.enabled:
        in_root(root, "systemctl", "enable", *recipe.enabled, timeout_s=60)


def in_root(root: Path, *command: str, timeout_s: float) -> str:
    """The output of a program run inside a root file system that is not booted."""
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    unset = [f"--unset={name}" for name in os.environ if name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))]
    return run("env", *unset, "chroot", str(root), *command, timeout_s=timeout_s, env=env)
