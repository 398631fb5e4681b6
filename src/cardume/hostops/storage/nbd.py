"""A client of NBD on a Unix socket: reads, writes, and finds the holes of a disk that a QEMU program serves."""

import asyncio
import struct
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cardume.hostops.errors import StorageError, StorageFull, StorageUnreachable

ANSWER_S = 60.0
"""How long one request may take: a mebibyte on the slowest of disks."""

_GREETING = b"NBDMAGICIHAVEOPT"
_OPTION = b"IHAVEOPT"
_FIXED_WITHOUT_ZEROES = 3
_OPT_GO, _OPT_STRUCTURED_REPLY, _OPT_SET_META_CONTEXT = 7, 8, 10
_OPTION_REPLY_MAGIC = 0x3E889045565A9
_REP_ACK, _REP_INFO, _REP_META_CONTEXT, _REP_ERROR = 1, 3, 4, 1 << 31
_INFO_EXPORT = 0
_ALLOCATION = "base:allocation"
_ZEROS = 2  # the flag of base:allocation that says that a range reads as zeros

_REQUEST_MAGIC, _SIMPLE_MAGIC, _CHUNK_MAGIC = 0x25609513, 0x67446698, 0x668E33EF
_READ, _WRITE, _DISCONNECT, _FLUSH, _WRITE_ZEROES, _STATUS = 0, 1, 2, 3, 6, 7
_DONE = 1
_CHUNK_DATA, _CHUNK_HOLE, _CHUNK_STATUS, _CHUNK_ERROR = 1, 2, 5, 1 << 15
_NO_SPACE = 28  # the protocol's own number, on every system
_MOST_ANSWERED = 64 << 20
_TAKEN_AT_ONCE = 2 << 20  # an answer comes whole, instead of in many turns of stopping and going on
_MOST_LOOKED_AT = 1 << 30  # of one question for holes: a request's length has 32 bits


class NbdDisk:
    """A served disk; a `DiskBytes`. One request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._cookie = 0
        self._knows_holes = False
        # What the server told last: where each extent ends, and whether it reads as zeros.
        self._told_from = self._told_until = 0
        self._ends: array[int] = array("Q")
        self._are_zeros = bytearray()
        self.size = 0

    async def read(self, offset: int, length: int) -> bytes:
        self._assert_inside(offset, length)
        data = bytearray(length)
        async for kind, body in self._asked(_READ, offset, length):
            at = struct.unpack_from(">Q", body)[0] - offset if len(body) >= 8 else -1
            if kind == _CHUNK_DATA and 0 <= at <= length - (len(body) - 8):
                data[at : at + len(body) - 8] = body[8:]
            elif kind != _CHUNK_HOLE:  # what was not told stays zeros
                raise StorageError("the NBD server sent other data than it was asked for")
        return bytes(data)

    async def find_data(self, offset: int) -> int:
        return await self._find(offset, zeros=False)

    async def find_hole(self, offset: int) -> int:
        return await self._find(offset, zeros=True)

    async def _find(self, offset: int, *, zeros: bool) -> int:
        """The first place from there on that is known to read as zeros, or is not; the size when there is none."""
        while offset < self.size:
            end, is_zeros = await self._extent(offset)
            if is_zeros is zeros:
                break
            offset = end
        return min(offset, self.size)

    async def _extent(self, offset: int) -> tuple[int, bool]:
        """Where the extent that lies there ends, as far as the server tells, and whether it reads as zeros."""
        if not self._knows_holes:
            return self.size, False
        if not self._told_from <= offset < self._told_until:
            await self._ask_extents(offset)
        number = bisect_right(self._ends, offset)
        return self._ends[number], bool(self._are_zeros[number])

    async def _ask_extents(self, offset: int) -> None:
        length = min(_MOST_LOOKED_AT, self.size - offset)
        told = [body[4:] async for kind, body in self._asked(_STATUS, offset, length) if kind == _CHUNK_STATUS]
        self._forget_extents()
        end = offset
        for body in told:
            for extent, flags in struct.iter_unpack(">II", body[: len(body) // 8 * 8]):
                end += extent
                self._ends.append(end)
                self._are_zeros.append(bool(flags & _ZEROS))
        if end == offset:  # it tells of nothing: anything may be there
            end += length
            self._ends.append(end)
            self._are_zeros.append(False)
        self._told_from, self._told_until = offset, end

    def _forget_extents(self) -> None:
        self._told_from = self._told_until = 0
        del self._ends[:], self._are_zeros[:]

    async def write(self, offset: int, data: bytes) -> None:
        self._assert_inside(offset, len(data))
        self._forget_extents()
        async for _ in self._asked(_WRITE, offset, len(data), data):
            pass

    async def zero(self, offset: int, length: int) -> None:
        self._assert_inside(offset, length)
        self._forget_extents()
        async for _ in self._asked(_WRITE_ZEROES, offset, length):
            pass

    async def flush(self) -> None:
        async for _ in self._asked(_FLUSH, 0, 0):
            pass

    # Requests

    async def _asked(self, what: int, offset: int, length: int, data: bytes = b"") -> AsyncIterator[tuple[int, bytes]]:
        """The chunks of the answer to a request."""
        self._cookie += 1
        chunks = []
        try:
            async with asyncio.timeout(ANSWER_S):
                self._writer.write(struct.pack(">IHHQQI", _REQUEST_MAGIC, 0, what, self._cookie, offset, length))
                self._writer.write(data)
                await self._writer.drain()
                is_done = False
                while not is_done:
                    is_done, kind, body = await self._chunk()
                    chunks.append((kind, body))
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise StorageUnreachable(f"the disk's NBD server does not answer: {error!r}") from error
        for kind, body in chunks:
            if kind & _CHUNK_ERROR:
                number = struct.unpack_from(">I", body)[0] if len(body) >= 4 else 0
                if number == _NO_SPACE:
                    raise StorageFull("no room is left for what is written to the disk")
                raise StorageError(f"the disk could not be read or written: errno {number}")
            if kind:
                yield kind, body

    async def _chunk(self) -> tuple[bool, int, bytes]:
        (magic,) = struct.unpack(">I", await self._reader.readexactly(4))
        if magic == _SIMPLE_MAGIC:
            number, cookie = struct.unpack(">IQ", await self._reader.readexactly(12))
            self._assert_own(cookie)
            return True, _CHUNK_ERROR if number else 0, struct.pack(">I", number)
        if magic != _CHUNK_MAGIC:
            raise StorageError("the NBD server's answer cannot be read")
        flags, kind, cookie, length = struct.unpack(">HHQI", await self._reader.readexactly(16))
        self._assert_own(cookie)
        if length > _MOST_ANSWERED:
            raise StorageError(f"the NBD server answers with {length} bytes")
        return bool(flags & _DONE), kind, await self._reader.readexactly(length)

    def _assert_own(self, cookie: int) -> None:
        if cookie != self._cookie:
            raise StorageError("the NBD server answers another request")

    def _assert_inside(self, offset: int, length: int) -> None:
        if offset < 0 or offset + length > self.size:
            raise StorageError(f"the disk has {self.size} bytes: {length} from {offset} on are not inside")

    # The beginning and the end

    async def negotiate(self, export: str) -> None:
        """Agree on structured answers and on telling holes, and open the export."""
        greeting = await self._reader.readexactly(len(_GREETING) + 2)
        if not greeting.startswith(_GREETING):
            raise StorageError("this is no NBD server")
        self._writer.write(struct.pack(">I", _FIXED_WITHOUT_ZEROES))
        name = export.encode()
        await self._option(_OPT_STRUCTURED_REPLY, b"")
        context = _ALLOCATION.encode()
        question = struct.pack(">I", len(name)) + name + struct.pack(">II", 1, len(context)) + context
        contexts = await self._option(_OPT_SET_META_CONTEXT, question, may_fail=True)
        self._knows_holes = any(kind == _REP_META_CONTEXT for kind, _ in contexts)
        answers = await self._option(_OPT_GO, struct.pack(">I", len(name)) + name + struct.pack(">H", 0))
        for kind, body in answers:
            if kind == _REP_INFO and len(body) >= 12 and struct.unpack_from(">H", body)[0] == _INFO_EXPORT:
                self.size = struct.unpack_from(">Q", body, 2)[0]

    async def _option(self, option: int, data: bytes, *, may_fail: bool = False) -> list[tuple[int, bytes]]:
        self._writer.write(_OPTION + struct.pack(">II", option, len(data)) + data)
        await self._writer.drain()
        answers: list[tuple[int, bytes]] = []
        while True:
            magic, told, kind, length = struct.unpack(">QIII", await self._reader.readexactly(20))
            if magic != _OPTION_REPLY_MAGIC or told != option or length > 4096:
                raise StorageError("the NBD server's answer cannot be read")
            body = await self._reader.readexactly(length)
            if kind == _REP_ACK:
                return answers
            if kind & _REP_ERROR:
                if may_fail:
                    return []
                raise StorageError(f"the NBD server refuses option {option}: {body.decode('utf-8', 'replace')}")
            answers.append((kind, body))

    async def disconnect(self) -> None:
        """Tell the server that nothing more comes."""
        self._writer.write(struct.pack(">IHHQQI", _REQUEST_MAGIC, 0, _DISCONNECT, 0, 0, 0))
        await self._writer.drain()


@asynccontextmanager
async def nbd_disk(socket: str, export: str) -> AsyncIterator[NbdDisk]:
    """A disk that is served on a Unix socket, as long as the block lasts."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket, limit=_TAKEN_AT_ONCE)
    except OSError as error:
        raise StorageUnreachable(f"the disk's NBD server does not answer: {error!r}") from error
    try:
        disk = NbdDisk(reader, writer)
        try:
            async with asyncio.timeout(ANSWER_S):
                await disk.negotiate(export)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise StorageUnreachable(f"the disk's NBD server does not answer: {error!r}") from error
        yield disk
        with suppress(OSError):
            await disk.disconnect()
    finally:
        writer.close()
