"""Makes the guest from a distribution's packages: a kernel, an initramfs, a bootable disk and a bootable ISO.

Everything runs on plain files in a root file system of its own: no loop device, and nothing is installed.
"""

import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cardume.lab.guest import kernel, layout, sources

Report = Callable[[str], None]

DISK_NAME = "guest.qcow2"
ISO_NAME = "guest.iso"

RELEASE = "bookworm"
PACKAGES = (
    "binutils",
    "busybox-static",
    "cpio",
    "dash",
    "dosfstools",
    "isolinux",
    "kmod",
    "linux-image-amd64",  # the cloud kernel has neither e1000e nor ahci
    "lz4",
    "mtools",
    "qemu-guest-agent",
    "qemu-utils",
    "syslinux",
    "syslinux-common",
    "xorriso",
    "zstd",
)
MODULES = (
    "virtio_pci",
    "virtio_net",
    "virtio_blk",
    "virtio_console",
    "virtio_balloon",
    "e1000",
    "e1000e",
    "ahci",
    "ata_piix",
    "sd_mod",
    "sr_mod",
    "button",
    "evdev",
)
PACKAGES_TIMEOUT_S = 600.0
STEP_TIMEOUT_S = 120.0


class GuestBuildError(Exception):
    """The guest could not be built; says which step and the end of its output."""


def build_guest(directory: Path, report: Report) -> None:
    """Leave the guest's disk and ISO in a directory of their own."""
    report("guest: fetching packages")
    root = directory / "root"
    _extract_packages(root, directory)
    report("guest: building the initramfs")
    _stage_initramfs(root)
    boot = root / "boot-files"
    boot.mkdir()
    _make_initramfs(root, boot / "initrd")
    report("guest: packing the kernel")
    _make_kernel(root, boot / "vmlinuz")
    shutil.copyfile(Path(__file__).parent / "boot/syslinux.cfg", boot / "syslinux.cfg")
    report("guest: building the disk and the ISO")
    _make_iso(root, directory / ISO_NAME)
    _make_disk(root, directory / DISK_NAME)
    shutil.rmtree(root)


def _extract_packages(root: Path, directory: Path) -> None:
    """Unpack the packages without installing them: no maintainer script runs, and it takes seconds."""
    options = sources.apt_options(_run(["apt-config", "dump"], timeout_s=STEP_TIMEOUT_S))
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(PACKAGES)}"]
    command += [f"--aptopt={option}" for option in options]
    command += [RELEASE, str(root)]
    mirrors = sources.sources_for(RELEASE, sources.read_machine_release(), sources.read_machine_sources())
    if mirrors:  # otherwise mmdebstrap's own default
        path = directory / "mirrors.sources"
        path.write_text("\n".join(source.stanza() for source in mirrors))
        command.append(str(path))
    _run(command, timeout_s=PACKAGES_TIMEOUT_S)


def _stage_initramfs(root: Path) -> None:
    """Fill `root/stage` with what the guest sees as its root file system."""
    stage = root / "stage"
    shutil.copytree(Path(__file__).parent / "root", stage)
    for name in ("bin", "dev", "proc", "run", "sys", "tmp", "usr/bin", "usr/sbin", "var"):
        (stage / name).mkdir(parents=True, exist_ok=True)
    (stage / "var/run").symlink_to("/run")
    for script in (*stage.glob("sbin/*"), *stage.glob("etc/acpi/*/*"), *stage.glob("srv/cgi-bin/*")):
        script.chmod(0o755)
    _stage_busybox(root, stage)
    _stage_program(root, stage, "usr/sbin/qemu-ga")
    _stage_modules(root, stage)


def _stage_busybox(root: Path, stage: Path) -> None:
    """The shell and every other tool of the guest, under their names."""
    shutil.copy2(root / "bin/busybox", stage / "bin/busybox")
    for applet in _run_in(root, "/bin/busybox", "--list").split():
        if not (stage / "sbin" / applet).exists() and applet != "busybox":
            (stage / "bin" / applet).symlink_to("busybox")
    # Where the guest agent looks for it: without it no agent sets the clock.
    (stage / "sbin/hwclock").symlink_to("../bin/busybox")
    (stage / "init").symlink_to("bin/busybox")  # busybox looks at the name it was called by


def _stage_program(root: Path, stage: Path, path: str) -> None:
    """A program with the libraries it needs, each where the loader looks for it."""
    loader = "lib64/ld-linux-x86-64.so.2"
    listing = _run_in(root, f"/{loader}", "--list", f"/{path}")
    libraries = [word.lstrip("/") for word in listing.split() if word.startswith("/")]
    for name in {path, loader, *libraries}:
        target = stage / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
        target.chmod(0o755)


def _stage_modules(root: Path, stage: Path) -> None:
    """The kernel modules the guest may need and what they depend on."""
    release = _only(root.glob("lib/modules/*")).name
    _run_in(root, "/bin/busybox", "ln", "-sf", "/bin/kmod", "/depmod")
    _run_in(root, "/bin/busybox", "ln", "-sf", "/bin/kmod", "/modprobe")
    _run_in(root, "/depmod", release)
    listing = _run_in(root, "/modprobe", "--set-version", release, "--show-depends", "--all", *MODULES)
    for line in listing.splitlines():
        match line.split():
            case ["insmod", path, *_]:
                target = stage / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / path.lstrip("/"), target)
            case ["builtin", *_]:
                pass
            case _:
                raise GuestBuildError(f"modprobe said {line!r}")
    _run_in(root, "/depmod", "--basedir", "/stage", release)


def _make_initramfs(root: Path, target: Path) -> None:
    """Pack the staged files, in steps: in a pipe only the last program's failure would be noticed."""
    paths = sorted(path.relative_to(root / "stage").as_posix() for path in (root / "stage").rglob("*"))
    (root / "files").write_text("".join(f"{path}\n" for path in paths))
    _run_in(root, "/bin/dash", "-c", "cd /stage && cpio --quiet -o -H newc -R 0:0 -F /initrd.cpio </files")
    _run_in(root, "/usr/bin/zstd", "-q", "-19", "/initrd.cpio", "-o", "/initrd")
    (root / "initrd").rename(target)


def _make_kernel(root: Path, target: Path) -> None:
    """The distribution's kernel, packed so that it unpacks quickly under emulation."""
    original = _only(root.glob("boot/vmlinuz-*")).read_bytes()
    flat = kernel.unpack_kernel(original)
    (root / "kernel").write_bytes(flat.content)
    _run_in(root, "/usr/bin/lz4", "-l", "-12", "-q", "/kernel", "/kernel.lz4")
    packed = kernel.packed_blocks((root / "kernel.lz4").read_bytes())
    symbols = {"KERNEL": flat.address, "PACKED_BYTES": len(packed), "PACKED_END": flat.packed_end}
    defined = [f"--defsym={name}={value}" for name, value in symbols.items()]
    shutil.copyfile(Path(__file__).parent / "boot/unpack.s", root / "unpack.s")
    _run_in(root, "/usr/bin/as", "--32", *defined, "-o", "/unpack.o", "/unpack.s")
    link = ["-m", "elf_i386", "-Ttext=0x100000", "--oformat=binary"]
    _run_in(root, "/usr/bin/ld", *link, "-o", "/unpack", "/unpack.o")
    unpacker = (root / "unpack").read_bytes()
    target.write_bytes(kernel.make_bzimage(original, unpacker, packed, flat.packed_end - flat.address))


def _make_iso(root: Path, target: Path) -> None:
    """A CD that a BIOS boots, with the same kernel and initramfs."""
    tree = root / "cd"
    shutil.copytree(root / "boot-files", tree)
    (tree / "syslinux.cfg").rename(tree / "isolinux.cfg")
    shutil.copyfile(root / "usr/lib/ISOLINUX/isolinux.bin", tree / "isolinux.bin")
    shutil.copyfile(root / "usr/lib/syslinux/modules/bios/ldlinux.c32", tree / "ldlinux.c32")
    boot = ["-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]
    _run_in(root, "/usr/bin/xorrisofs", "-quiet", "-o", "/guest.iso", "-V", "CARDUME_GUEST", "-R", *boot, "/cd")
    (root / "guest.iso").rename(target)


def _make_disk(root: Path, target: Path) -> None:
    """A disk that a BIOS boots, with room for the record of its ticks."""
    boot_files = sorted((root / "boot-files").iterdir())
    plan = layout.plan_disk(sum(path.stat().st_size for path in boot_files))
    kibibytes = str(plan.boot.size_bytes // 1024)
    hidden = str(plan.boot.first_sector)
    _run_in(root, "/sbin/mkfs.fat", "-C", "-n", "CARDUME", "-h", hidden, "-i", "00000001", "/fat.img", kibibytes)
    _run_in(root, "/usr/bin/mcopy", "-i", "/fat.img", *(f"/boot-files/{path.name}" for path in boot_files), "::/")
    _run_in(root, "/usr/bin/syslinux", "--install", "/fat.img")
    boot_code = (root / "usr/lib/syslinux/mbr/mbr.bin").read_bytes()
    layout.write_disk(plan, root / "disk.raw", boot_code, root / "fat.img")
    _run_in(root, "/usr/bin/qemu-img", "convert", "-f", "raw", "-O", "qcow2", "/disk.raw", f"/{DISK_NAME}")
    (root / DISK_NAME).rename(target)


def _run_in(root: Path, *command: str) -> str:
    """Run a program of the packages, seeing nothing but them."""
    # syslinux hands its open file to mtools through /proc; the mount is seen by this program alone and ends with it.
    proc = root / "proc"
    proc.mkdir(exist_ok=True)
    script = 'mount -t proc proc "$1" && shift && exec chroot "$@"'
    return _run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(proc), str(root), *command], timeout_s=STEP_TIMEOUT_S
    )


def _run(command: Sequence[str], timeout_s: float) -> str:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "MTOOLS_SKIP_CHECK": "1"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )
    except FileNotFoundError as error:
        raise GuestBuildError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise GuestBuildError(f"{' '.join(command)} did not end within {timeout_s:.0f} s") from error
    if done.returncode != 0:
        raise GuestBuildError(f"{' '.join(command)} exited with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _only(paths: Iterable[Path]) -> Path:
    found = [path for path in paths if not stat.S_ISLNK(path.lstat().st_mode)]
    if len(found) != 1:
        raise GuestBuildError(f"expected one kernel in the packages, found {found}")
    return found[0]
