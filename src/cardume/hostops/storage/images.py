"""qemu-img: make, grow and copy disk images, with progress, an end when nothing moves, and errors of our layer."""

import asyncio
import re
from collections.abc import Callable

from cardume.hostops.chap_secrets import secret_file
from cardume.hostops.errors import RunError, StorageError, StorageFull, StorageUnreachable
from cardume.hostops.guests.guest import DiskSource, FileSource, IscsiSource, NBDSource, NfsSource
from cardume.hostops.run import run
from cardume.hostops.storage.driver import Progress
from cardume.lun.login import Portal

MIB = 1 << 20
EMPTY_BYTES = MIB  # an empty qcow2 image takes less
_QUICK_S = 60.0
_LONGEST_S = 30 * 24 * 3600.0  # a bound for a copy that does move; one that does not is ended long before
_LONGEST_CHECK_S = 1800.0
_IN_FLIGHT = ("-W", "-m", "16")  # in any order: a LUN that is asked for one piece at a time takes twice as long
_PERCENT = re.compile(r"\((\d+(?:\.\d+)?)/100%\)")
_NO_SPACE = ("No space left on device", "Disk quota exceeded")


class PercentReader:
    """Turns the output of `qemu-img -p`, in whatever pieces it comes, into fractions that never fall."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rest = ""
        self._last = -1.0

    def feed(self, text: str) -> None:
        self._rest += text
        end = 0
        for found in _PERCENT.finditer(self._rest):
            end = found.end()
            fraction = min(float(found[1]) / 100, 1.0)
            if fraction > self._last:
                self._last = fraction
                self._progress(fraction)
        self._rest = self._rest[end:][-64:]


def image_options(source: DiskSource) -> str:
    """The source as `--image-opts` of QEMU's programs; every comma in a value is doubled, as their syntax asks."""
    return ",".join(f"{key}={value.replace(',', ',,')}" for key, value in block_options(source).items())


def image_objects(*sources: DiskSource) -> tuple[str, ...]:
    """The arguments that QEMU's programs need before `--image-opts` of these sources: where passwords are read."""
    names = sorted({source.chap_secret for source in sources if isinstance(source, IscsiSource) and source.chap_user})
    return tuple(
        argument
        for name in names
        for argument in ("--object", f"secret,id={_secret_id(name)},file={secret_file(name)}")
    )


def block_options(source: DiskSource) -> dict[str, str]:
    """The source as QEMU's block driver options, dotted keys and texts."""
    match source:
        case FileSource(path, format):
            return {"driver": format, "file.driver": "file", "file.filename": path}
        case NBDSource(socket, export):
            return {
                "driver": "raw",
                "file.driver": "nbd",
                "file.server.type": "unix",
                "file.server.path": socket,
                "file.export": export,
            }
        case NfsSource(server, path, format):
            return {
                "driver": format,
                "file.driver": "nfs",
                "file.server.type": "inet",
                "file.server.host": server,
                "file.path": path,
                "file.user": "0",
                "file.group": "0",
            }
        case IscsiSource():
            return {
                "driver": "raw",
                "offset": str(source.offset),
                "size": str(source.size),
                "file.driver": "iscsi",
                "file.transport": "tcp",
                "file.portal": str(Portal(source.address, source.port)),
                "file.target": source.target,
                "file.lun": str(source.lun),
                "file.initiator-name": source.initiator,
                **(
                    {"file.user": source.chap_user, "file.password-secret": _secret_id(source.chap_secret)}
                    if source.chap_user
                    else {}
                ),
            }


def _secret_id(name: str) -> str:
    return f"chap-{name}"


def stall_limit_s(size_bytes: int) -> float:
    """How long a copy may show no progress: qemu-img tells whole percents, and a slow disk does 1 MiB a second."""
    return 120 + size_bytes / 100 / MIB


async def create_qcow2(path: str, virtual_size: int) -> None:
    """Make a new qcow2 image."""
    await _qemu_img("create", "-q", "-f", "qcow2", path, str(virtual_size))


async def create_layer(path: str, virtual_size: int, backing: str, format: str) -> None:
    """Make an empty qcow2 layer on an image of the same folder, which may be in use."""
    # -u: not even looked at. A guest that writes to it holds its lock.
    await _qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", backing, "-F", format, path, str(virtual_size))


async def grow(path: str, format: str, virtual_size: int) -> None:
    """Make an image that nobody has open larger."""
    await _qemu_img("resize", "-q", "-f", format, path, str(virtual_size))


async def assert_unused(path: str, format: str) -> None:
    """Raise StorageError when a QEMU has the image open for writing."""
    await _qemu_img("info", "--output=json", "-f", format, path)


async def convert(source: DiskSource, target_path: str, format: str, size_bytes: int, progress: Progress) -> None:
    """Write a new image with the content of `source`, on the disk when this returns."""
    # `-t writeback` ends with a flush; qemu-img's own default leaves everything to the page cache.
    await _copy(
        size_bytes,
        progress,
        *image_objects(source),
        *("--image-opts", "-t", "writeback", "-O", format, image_options(source), target_path),
    )


async def convert_into(
    source: DiskSource,
    target: DiskSource,
    size_bytes: int,
    progress: Progress,
    *,
    target_is_zero: bool = False,
    page_cache: bool = False,
) -> None:
    """Write the content of `source` over the beginning of `target`, flushed when this returns.

    page_cache: the target is a file that has no O_DIRECT. It takes longer: what is written piles up for the flush.
    """
    await _copy(
        size_bytes,
        progress,
        *(("--target-is-zero",) if target_is_zero else ()),
        *image_objects(source, target),
        *("-n", *_IN_FLIGHT, "-t", "writeback" if page_cache else "none", "--image-opts", "--target-image-opts"),
        *(image_options(source), image_options(target)),
    )


async def commit(path: str, rate_bytes: int, size_bytes: int, progress: Progress) -> None:
    """Write what a layer has into the image under it; the layer stays as it is. Nobody may have them open."""
    await _moving(
        *("commit", "-p", "-d", "-t", "writeback", "-f", "qcow2", "-r", str(rate_bytes), path),
        size_bytes=size_bytes,
        progress=progress,
    )


async def repair_leaks(path: str) -> None:
    """Free the clusters of an image that a program which was killed had taken and not used."""
    await _qemu_img("check", "-q", "-f", "qcow2", "-r", "leaks", path, timeout_s=_LONGEST_CHECK_S)


async def _copy(size_bytes: int, progress: Progress, *arguments: str) -> None:
    await _moving("convert", "-p", *arguments, size_bytes=size_bytes, progress=progress)


async def _moving(*arguments: str, size_bytes: int, progress: Progress) -> None:
    """Run qemu-img for as long as it shows progress."""
    limit_s = stall_limit_s(size_bytes)
    reader = PercentReader(progress)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(limit_s) as stalled:

            def moved(text: str) -> None:
                reader.feed(text)
                if not stalled.expired():
                    stalled.reschedule(loop.time() + limit_s)

            await _qemu_img(*arguments, timeout_s=_LONGEST_S, on_output=moved)
    except TimeoutError:
        raise StorageUnreachable(f"the copy did not move for {limit_s:.0f} s and was ended") from None


async def _qemu_img(
    *arguments: str, timeout_s: float = _QUICK_S, on_output: Callable[[str], None] | None = None
) -> str:
    try:
        return await run("qemu-img", *arguments, timeout_s=timeout_s, on_output=on_output)
    except RunError as error:
        if any(text in error.output for text in _NO_SPACE):
            raise StorageFull(str(error)) from error
        raise StorageError(str(error)) from error
