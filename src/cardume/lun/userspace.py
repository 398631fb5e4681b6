"""LUNs by iSCSI in user space: which there are, and one of them as a `Lun`. No kernel driver, no daemon."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from cardume.lun import scsi
from cardume.lun.errors import ILLEGAL_REQUEST, UNIT_ATTENTION, LunError, LunNotFound, LunSense, LunUnreachable
from cardume.lun.interface import LunFacts
from cardume.lun.login import Chap, Login, Portal
from cardume.lun.ranges import assert_inside, pieces
from cardume.lun.session import Session, Target

__all__ = ["Chap", "FoundLun", "Login", "Portal", "Target", "UserspaceLun", "discover", "list_luns", "open_lun"]

IDLE_S = 2.0
"""A session that was not used for so long is asked whether it still lives before anything else."""
SAME_WRITTEN_BYTES = 32 << 20
"""How much a LUN that is not thin is asked to fill with zeros by one command."""
_LOGOUT_S = 1.0
_ATTENTIONS = 3  # in a row that are only news: a login brings one at least
_RESET = 0x29
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FoundLun:
    """A disk that a target offers."""

    lun: int
    facts: LunFacts


def discover(portal: Portal, login: Login, timeout_s: float = 10) -> tuple[Target, ...]:
    """The targets that a portal tells this initiator of; none is no error."""
    deadline = time.monotonic() + timeout_s
    session = Session(portal, login)
    session.connect(deadline)
    targets = session.discover(deadline)
    session.logout(min(deadline, time.monotonic() + _LOGOUT_S))
    return targets


def list_luns(portal: Portal, iqn: str, login: Login, timeout_s: float = 10) -> tuple[FoundLun, ...]:
    """The disks of a target; one that is not ready to tell its size is left out."""
    deadline = time.monotonic() + timeout_s
    session = Session(portal, login, iqn, secrets.randbits(40))
    session.connect(deadline)
    try:
        listed = _ask(session, 0, scsi.REPORT_LUNS, deadline, "tells its LUNs", scsi.LIST_BYTES)
        found = []
        for number in scsi.parse_luns(listed):
            try:
                if (look := _look_at(session, number, deadline)) is not None:
                    found.append(FoundLun(number, look.facts))
            except (LunSense, LunNotFound):
                continue
        return tuple(found)
    finally:
        session.logout(min(deadline, time.monotonic() + _LOGOUT_S))


def open_lun(
    portal: Portal, iqn: str, lun: int, login: Login, timeout_s: float = 5, *, isid: int | None = None
) -> "UserspaceLun":
    """The LUN, logged in to. Each call of it ends after `timeout_s` without progress.

    isid: the name of its sessions, 40 bits, for one who must not be there twice; any other otherwise.
    """
    opened = UserspaceLun(portal, iqn, lun, login, timeout_s, isid=isid)
    opened.connect()
    return opened


class UserspaceLun:
    """A `Lun` over one iSCSI session, which is opened anew by the next call after it was lost.

    All its sessions have the same name. By the rules of iSCSI a target ends a session, with the commands that it has
    taken of it, before it lets another of that name in: a write that was given up is never done after a later one.
    tgt keeps that rule only for initiators that use CHAP.
    """

    def __init__(
        self, portal: Portal, iqn: str, lun: int, login: Login, timeout_s: float, *, isid: int | None = None
    ) -> None:
        self._portal, self._iqn, self._lun, self._login = portal, iqn, lun, login
        self._timeout_s = timeout_s
        self._isid = secrets.randbits(40) if isid is None else isid
        self.sessions = 0
        """How many it has opened: one more than the caller knew of means that it was away."""
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._used_at = 0.0
        self._look: _Look | None = None
        self._is_closed = False
        self._is_unflushed = False
        self._may_have_lost = False
        self._takes_fua = True
        self._takes_same = True

    @property
    def size_bytes(self) -> int:
        return self.facts.size_bytes

    @property
    def block_bytes(self) -> int:
        return self.facts.block_bytes

    @property
    def facts(self) -> LunFacts:
        assert self._look is not None, "open_lun has connected it"
        return self._look.facts

    def connect(self) -> None:
        """Log in, when it is not."""
        with self._lock:
            self._live(time.monotonic() + self._timeout_s)

    def read(self, offset: int, length: int) -> bytes:
        self._assert_inside(offset, length)
        with self._lock:
            return b"".join(self._read(*piece) for piece in pieces(offset, length, self._limits.transfer_bytes))

    def write(self, offset: int, data: bytes, *, fua: bool = False) -> None:
        self._assert_inside(offset, len(data))
        with self._lock:
            whole = memoryview(data)
            for start, length in pieces(offset, len(data), self._limits.transfer_bytes):
                at = start - offset
                self._write(start, bytes(whole[at : at + length]), fua=fua)

    def write_zeros(self, offset: int, length: int) -> None:
        self._assert_inside(offset, length)
        with self._lock:
            # A thin LUN only forgets; any other writes all of it, and has no more time for that than for a write.
            most = self._limits.same_bytes if self.facts.is_thin else min(self._limits.same_bytes, SAME_WRITTEN_BYTES)
            for piece in pieces(offset, length, most):
                if not (self._takes_same and self._write_same(*piece)):
                    for start, count in pieces(*piece, self._limits.transfer_bytes):
                        self._write(start, bytes(count), fua=False)

    def unmap(self, offset: int, length: int) -> None:
        self._assert_inside(offset, length)
        if not self.facts.is_thin:
            return
        with self._lock:
            for start, count in pieces(offset, length, self._limits.unmap_bytes):
                cdb, ranges = scsi.unmap(*self._blocks(start, count))
                self._is_unflushed = True
                try:
                    self._command(cdb, "unmaps", data=ranges)
                except LunSense as sense:
                    if sense.key == ILLEGAL_REQUEST:
                        return  # a hint that the target does not take
                    raise

    def flush(self) -> None:
        with self._lock:
            self._live(time.monotonic() + self._timeout_s)
            self._assert_nothing_lost()
            self._command(scsi.FLUSH, "flushes")
            self._assert_nothing_lost()
            self._is_unflushed = False

    def refresh(self) -> None:
        with self._lock:
            look = self._repeatable(lambda session, deadline: _look_at(session, self._lun, deadline))
            if look is None or look.facts.scsi_id != self.facts.scsi_id:
                raise LunNotFound(f"{self._place} is another LUN now")
            self._look = look

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            session, self._session = self._session, None
            if session is not None:
                session.logout(time.monotonic() + min(_LOGOUT_S, self._timeout_s))

    def _assert_nothing_lost(self) -> None:
        """A target that lost its power lets the next session in, and knows nothing of what it had not yet written."""
        if self._may_have_lost:
            self._may_have_lost = False
            raise LunUnreachable(f"{self._place} was away: what was written since the last flush may be lost")

    # Pieces

    def _read(self, offset: int, length: int) -> bytes:
        cdb = scsi.read(*self._blocks(offset, length))
        data = self._repeatable(lambda session, deadline: _ask(session, self._lun, cdb, deadline, "reads", length))
        if len(data) != length:
            raise LunError(f"{self._place} reads {len(data)} bytes where {length} were asked for")
        return data

    def _write(self, offset: int, data: bytes, *, fua: bool) -> None:
        is_forced = fua and self._takes_fua
        if not is_forced:
            self._is_unflushed = True
        try:
            self._command(scsi.write(*self._blocks(offset, len(data)), fua=is_forced), "writes", data=data)
        except LunSense as sense:
            if not is_forced or sense.key != ILLEGAL_REQUEST:
                raise
            self._takes_fua = False
            self._write(offset, data, fua=True)
            return
        if fua and not is_forced:
            self._command(scsi.FLUSH, "flushes")

    def _write_same(self, offset: int, length: int) -> bool:
        """Whether the target has done it; it is not asked again once it has refused."""
        self._is_unflushed = True
        cdb = scsi.write_same(*self._blocks(offset, length), unmap=self.facts.is_thin)
        try:
            self._command(cdb, "writes zeros", data=bytes(self.block_bytes))
        except LunSense as sense:
            if sense.key != ILLEGAL_REQUEST:
                raise
            self._takes_same = False
        return self._takes_same

    def _blocks(self, offset: int, length: int) -> tuple[int, int]:
        return offset // self.block_bytes, length // self.block_bytes

    def _assert_inside(self, offset: int, length: int) -> None:
        assert_inside(offset, length, self.size_bytes, self.block_bytes)

    # The session

    def _command(self, cdb: bytes, what: str, *, data: bytes = b"") -> None:
        """Send a command, which is not sent a second time when the session is lost over it."""
        deadline = time.monotonic() + self._timeout_s
        session = self._live(deadline)
        with self._noting_loss():
            _ask(session, self._lun, cdb, deadline, what, data=data, news=self._hear)

    def _repeatable(self, work: Callable[[Session, float], T]) -> T:
        """What comes of work that changes nothing; done once more when the session turns out to be dead."""
        deadline = time.monotonic() + self._timeout_s
        try:
            session = self._live(deadline)
            with self._noting_loss():
                return work(session, deadline)
        except LunUnreachable:
            if time.monotonic() >= deadline:
                raise
        session = self._live(deadline)
        with self._noting_loss():
            return work(session, deadline)

    def _live(self, deadline: float) -> Session:
        """The session; a new one when it is lost, or does not answer after a rest."""
        if self._is_closed:
            raise LunError(f"{self._place} was closed")
        if self._session is not None and time.monotonic() - self._used_at > IDLE_S:
            # Nobody answers the target's own questions while nobody calls, so it may have given up on us long ago.
            half = (time.monotonic() + deadline) / 2
            try:
                with self._noting_loss():
                    _ask(self._session, self._lun, scsi.TEST_UNIT_READY, half, "answers", news=self._hear)
            except LunError:
                pass  # lost, then another follows; or it answers with a complaint, which the command will meet as well
        if self._session is None:
            self._session = self._open(deadline)
            self._used_at = time.monotonic()
        return self._session

    def _open(self, deadline: float) -> Session:
        session = Session(self._portal, self._login, self._iqn, self._isid)
        session.connect(deadline)
        try:
            look = _look_at(session, self._lun, deadline)
            if look is None:
                raise LunNotFound(f"{self._place} is no disk")
            if self._look is not None and look.facts.scsi_id != self._look.facts.scsi_id:
                raise LunNotFound(f"{self._place} is another LUN now: {look.facts.scsi_id}")
        except BaseException:
            session.abandon()
            raise
        self._look = self._look or look
        self.sessions += 1
        return session

    @contextmanager
    def _noting_loss(self) -> Iterator[None]:
        try:
            yield
        except LunUnreachable:
            self._session = None
            self._may_have_lost = self._may_have_lost or self._is_unflushed
            raise
        finally:
            self._used_at = time.monotonic()

    def _hear(self, news: LunSense) -> None:
        if news.asc == _RESET:
            self._may_have_lost = self._may_have_lost or self._is_unflushed

    @property
    def _place(self) -> str:
        return f"{self._portal} {self._iqn} LUN {self._lun}"

    @property
    def _limits(self) -> scsi.Limits:
        assert self._look is not None, "open_lun has connected it"
        return self._look.limits


@dataclass(frozen=True, slots=True)
class _Look:
    """What a LUN says of itself."""

    facts: LunFacts
    limits: scsi.Limits


def _look_at(session: Session, lun: int, deadline: float) -> _Look | None:
    """What the LUN says of itself; None when it is no disk."""
    asked = "says what it is"
    inquired = scsi.parse_inquiry(_ask(session, lun, scsi.inquiry(), deadline, asked, scsi.PAGE_BYTES))
    if not inquired.is_disk:
        return None
    pages = {}
    try:
        known = scsi.parse_pages(_ask(session, lun, scsi.inquiry(0), deadline, asked, scsi.PAGE_BYTES))
        for page in (scsi.SERIAL_PAGE, scsi.NAMES_PAGE, scsi.LIMITS_PAGE):
            if page in known:
                pages[page] = _ask(session, lun, scsi.inquiry(page), deadline, asked, scsi.PAGE_BYTES)
    except LunSense as sense:
        if sense.key != ILLEGAL_REQUEST:  # it has no pages
            raise
    capacity = scsi.parse_capacity(
        _ask(session, lun, scsi.READ_CAPACITY, deadline, "tells its size", scsi.CAPACITY_BYTES)
    )
    limits = scsi.parse_limits(pages.get(scsi.LIMITS_PAGE, b""), capacity.block_bytes)
    return _Look(scsi.facts(inquired, pages, capacity), limits)


def _ignore(_news: LunSense) -> None:
    pass


def _ask(
    session: Session,
    lun: int,
    cdb: bytes,
    deadline: float,
    what: str,
    answer_bytes: int = 0,
    *,
    data: bytes = b"",
    news: Callable[[LunSense], None] = _ignore,
) -> bytes:
    """What the LUN answers. A command that it answers with news has not been begun, and is sent again."""
    for _ in range(_ATTENTIONS):
        try:
            return session.command(lun, cdb, deadline, what=what, answer_bytes=answer_bytes, data=data)
        except LunSense as sense:
            if sense.key != UNIT_ATTENTION:
                raise
            news(sense)
    return session.command(lun, cdb, deadline, what=what, answer_bytes=answer_bytes, data=data)
