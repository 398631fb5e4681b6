"""The bytes of blobs: a file each, in one folder, replaced whole or not at all."""

import asyncio
import io
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from cardume.hostops.durable import sync_folder
from cardume.hostops.errors import HostError

MOST_BYTES = 64 * 2**20
"""What one blob may hold: icons, notes and reports; disks have a place of their own."""

PIECE_BYTES = 256 * 1024

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BlobTooBig(HostError):
    """More bytes than a blob may hold."""


class BlobFiles:
    """The files of one host's blobs, by uuid. A blob that nothing was ever written to has none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts: set[str] = set()

    @asynccontextmanager
    async def reading(self, uuid: str) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """How many bytes a blob holds, and these in pieces: those of one moment, whatever is written meanwhile."""
        try:
            file: BinaryIO = await asyncio.to_thread((self._folder / _checked(uuid)).open, "rb")
        except FileNotFoundError:
            file = io.BytesIO()
        try:
            size = await asyncio.to_thread(file.seek, 0, os.SEEK_END)
            file.seek(0)
            yield size, _pieces(file)
        finally:
            file.close()

    @asynccontextmanager
    async def writing(self, uuid: str) -> AsyncIterator["Draft"]:
        """A draft that becomes the blob's bytes when the block ends well; otherwise nothing is left of it."""
        name = f"{_checked(uuid)}.new-{secrets.token_hex(6)}"
        self._drafts.add(name)
        path = self._folder / name
        try:
            draft = Draft(await asyncio.to_thread(self._open, path))
            try:
                yield draft
                await asyncio.to_thread(draft.close)
            finally:
                draft.file.close()
            await asyncio.to_thread(self._publish, path, self._folder / uuid)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            self._drafts.discard(name)

    async def remove(self, uuid: str) -> None:
        await asyncio.to_thread((self._folder / _checked(uuid)).unlink, missing_ok=True)

    async def sweep(self, keep: frozenset[str]) -> int:
        """Remove the files of all other blobs, and drafts that a crash left; how many there were."""
        return await asyncio.to_thread(self._sweep, keep | self._drafts)

    def _open(self, path: Path) -> BinaryIO:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")

    def _publish(self, draft: Path, path: Path) -> None:
        draft.replace(path)
        sync_folder(self._folder)

    def _sweep(self, keep: frozenset[str]) -> int:
        others = [path for path in self._folder.glob("*") if path.name not in keep]
        for path in others:
            path.unlink(missing_ok=True)
        return len(others)


class Draft:
    """Bytes that are being written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = 0

    async def write(self, piece: bytes) -> None:
        """Add bytes; BlobTooBig when a blob cannot hold so many."""
        self.size += len(piece)
        if self.size > MOST_BYTES:
            raise BlobTooBig(f"a blob holds {MOST_BYTES} bytes at most")
        await asyncio.to_thread(self.file.write, piece)

    def close(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece


def _checked(uuid: str) -> str:
    """The same uuid; no text from outside becomes a file's name."""
    if not _UUID.fullmatch(uuid):
        raise HostError(f"{uuid[:80]!r} is no uuid")
    return uuid
