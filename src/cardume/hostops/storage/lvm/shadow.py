"""A sparse local copy of what makes a LUN an LVM physical volume, on which LVM's own tools make changes.

LVM sees one device, the shadow, and a configuration of its own: it looks at no disk of the host, takes no lock of the
host's and tells no daemon. Nothing reaches the LUN from here; `carrier.py` brings it there.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from cardume.hostops.errors import StorageError
from cardume.hostops.storage.lvm.errors import DamagedMetadata, LvmFailed
from cardume.hostops.storage.lvm.loop import loop_over
from cardume.hostops.storage.lvm.reader import PhysicalVolume, read_physical_volume
from cardume.hostops.storage.lvm.sectors import Readable

DEFAULT_FOLDER = Path("/run/cardume/lvm")
"""On a tmpfs: a shadow is as long as its LUN, which may be longer than a file of ext4 can be."""

TIMEOUT_S = 30.0

_PREFIX = "shadow-"
_LVM_CONF = """\
devices {{
  dir = "/dev"
  scan = ["{folder}/dev"]
  global_filter = ["a|^{device}$|", "r|.*|"]
  use_devicesfile = 0
  hints = "none"
  obtain_device_list_from_udev = 0
  external_device_info_source = "none"
  sysfs_scan = 0
  scan_lvs = 0
  md_component_detection = 0
  multipath_component_detection = 0
  fw_raid_component_detection = 0
  data_alignment_detection = 0
  md_chunk_alignment = 0
}}
global {{
  activation = 0
  locking_dir = "{folder}/lock"
  use_lvmlockd = 0
  use_lvmpolld = 0
  event_activation = 0
  notify_dbus = 0
  umask = 63
  io_memory_size = 65536
  use_aio = 0
}}
activation {{
  udev_sync = 0
  udev_rules = 0
  monitoring = 0
}}
backup {{
  backup = 0
  archive = 0
}}
log {{
  syslog = 0
}}
"""


class Shadow:
    """The shadow of a LUN, as long as the block lasts. Only one of a LUN at a time: its caller holds a lock.

    `blank`: it begins without what is on the LUN.
    """

    def __init__(
        self, lun: Readable, folder: Path = DEFAULT_FOLDER, *, blank: bool = False, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.size_bytes = lun.size_bytes
        self.block_bytes = lun.block_bytes
        self.before: PhysicalVolume | None = None
        self._lun = lun
        self._blank = blank
        self._parent = folder
        self._timeout_s = timeout_s
        self._undo = ExitStack()
        self._file = -1
        self._home = folder
        self._device = ""
        self._loop = ""

    def __enter__(self) -> "Shadow":
        with ExitStack() as undo:
            try:
                self.before = None if self._blank else read_physical_volume(self._lun)
                self._home = undo.enter_context(_home(self._parent))
                self._file = undo.enter_context(_nameless_file(self._home, self.size_bytes))
                if self.before is not None:
                    self._fill(self.before)
                self._loop = undo.enter_context(loop_over(self._file, self.block_bytes, "cardume-shadow"))
                self._device = f"{self._home}/dev/lun"
                os.symlink(self._loop, self._device)
                (self._home / "lvm.conf").write_text(_LVM_CONF.format(folder=self._home, device=self._device))
            except OSError as error:
                raise StorageError(f"no shadow of the LUN could be made in {self._parent}: {error}") from error
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    @property
    def device(self) -> str:
        """The path by which LVM knows the shadow."""
        return self._device

    def lvm(self, command: str, *arguments: str) -> str:
        """The output of an LVM command on the shadow; LvmFailed when it did not end well."""
        # Two names of the program's, so that no name or tag of a caller's can be taken for an option of its.
        words = ["lvm", command, "--driverloaded", "n", *arguments]
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C",
            "LVM_SYSTEM_DIR": str(self._home),
            "LVM_SUPPRESS_FD_WARNINGS": "1",
        }
        try:
            child = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise LvmFailed("LVM's program `lvm` is not installed on this host") from None
        except OSError as error:  # such as tags of a length that no program can be given
            raise LvmFailed(f"lvm {command} could not be started: {error.strerror}") from error
        with child:
            try:
                output, _ = child.communicate(timeout=self._timeout_s)
            except BaseException as error:
                os.killpg(child.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise LvmFailed(f"lvm {command} did not end within {self._timeout_s:g} s") from None
                raise
        text = output.decode("utf-8", "replace")
        if child.returncode != 0:
            raise LvmFailed(f"lvm {command} ended with status {child.returncode}: {_end_of(text)}")
        return text

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._file, length, offset)

    def after(self) -> PhysicalVolume:
        """What makes the shadow a physical volume now."""
        found = read_physical_volume(self)
        if found is None:
            raise DamagedMetadata("LVM left no label on the shadow")
        return found

    def written_ranges(self) -> tuple[tuple[int, int], ...]:
        """(begin, end) of what is in the file, as precisely as its file system tells."""
        ranges: list[tuple[int, int]] = []
        position = 0
        while True:
            try:
                begin = os.lseek(self._file, position, os.SEEK_DATA)
            except OSError:
                return tuple(ranges)
            position = os.lseek(self._file, begin, os.SEEK_HOLE)
            ranges.append((begin, position))

    def _fill(self, volume: PhysicalVolume) -> None:
        header = (volume.header.area.offset_bytes, volume.header_bytes)
        for offset, data in ((0, volume.label_bytes), header, *volume.text_pieces):
            written = os.pwrite(self._file, data, offset)
            if written != len(data):
                raise StorageError(f"no room for the shadow of a LUN in {self._home}")


@contextmanager
def _home(parent: Path) -> Iterator[Path]:
    """A folder of the shadow's own; what killed ones have left beside it goes."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(parent):  # else the sweep of another could find the new folder before its lock
        _sweep(parent)
        home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        (home / "dev").mkdir()
        (home / "lock").mkdir()
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os.close(lock)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # held for the time of a mkdir
        yield
    finally:
        os.close(lock)


def _sweep(parent: Path) -> None:
    for left in parent.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except BlockingIOError:
            pass  # it is in use
        finally:
            os.close(lock)


@contextmanager
def _nameless_file(folder: Path, size_bytes: int) -> Iterator[int]:
    """A sparse file that is gone with its last user."""
    path = folder / "lun"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        path.unlink()
        os.truncate(file, size_bytes)
        yield file
    finally:
        os.close(file)


def _end_of(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.strip().startswith("WARNING:")]
    return " ".join(lines)[-1500:] or output.strip()[-1500:]
