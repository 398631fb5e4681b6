"""One iSCSI session: a login, commands one after another, an end. Each wait ends at a deadline of the caller's.

libiscsi's own waits are not used: they count in whole seconds and stand still while a name is looked up. Its calls that
do not wait are, and the loop that waits for the socket is here.
"""

import ctypes
import re
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import Any

from cardume.lun import libiscsi
from cardume.lun.errors import (
    AddressUnknown,
    LunError,
    LunLoginRefused,
    LunNotFound,
    LunSense,
    LunUnreachable,
    TargetNotFound,
)
from cardume.lun.libiscsi import library
from cardume.lun.login import Login, Portal
from cardume.lun.scsi import on_the_wire

BUSY_S = 0.1
"""The rest before a target that has too much to do is asked again."""
_TICK_S = 1.0
_LOGIN_STATUS = re.compile(r"Status: (.*)\((\d+)\)")
_REFUSED, _NOT_FOUND = (0x0201, 0x0202), (0x0203, 0x0204)
_LOGICAL_UNIT_NOT_SUPPORTED = 0x25


@dataclass(frozen=True, slots=True)
class Target:
    """A target that a portal tells of, and where it is reached."""

    iqn: str
    portals: tuple[Portal, ...]


class Session:
    """A session that is logged in. After LunUnreachable it is gone, and another one is needed."""

    def __init__(self, portal: Portal, login: Login, iqn: str | None = None, isid: int = 0) -> None:
        """For discovery when no target is named. Two sessions with one `isid` are never there at a time."""
        self._portal = portal
        self._place = f"{portal} {iqn or ''}".rstrip()
        self._library = library()
        self._callback = libiscsi.Callback(self._ended)
        self._status: int | None = None
        self._words = ""
        self._is_discovering = iqn is None
        self._listed: list[tuple[str, list[str]]] = []
        self._context = self._new_context(login, iqn, isid)

    def _new_context(self, login: Login, iqn: str | None, isid: int) -> Any:
        lib = self._library
        context = lib.iscsi_create_context(login.initiator.encode())
        if not context:
            raise LunError("libiscsi has no memory for a session")
        lib.iscsi_set_noautoreconnect(context, 1)
        lib.iscsi_set_header_digest(context, libiscsi.DIGEST_NONE_FIRST)
        lib.iscsi_set_session_type(context, libiscsi.SESSION_NORMAL if iqn else libiscsi.SESSION_DISCOVERY)
        lib.iscsi_set_isid_random(context, isid >> 16 & 0xFFFFFF, isid & 0xFFFF)
        if iqn:
            lib.iscsi_set_targetname(context, iqn.encode())
        if login.chap:
            user, password = login.chap.user.encode(), login.chap.password.encode()
            lib.iscsi_set_initiator_username_pwd(context, user, password)
        if login.mutual and iqn:  # who only asks which targets there are is answered without any CHAP by many
            user, password = login.mutual.user.encode(), login.mutual.password.encode()
            lib.iscsi_set_target_username_pwd(context, user, password)
        return context

    def connect(self, deadline: float) -> None:
        """Reach the portal and log in."""
        try:
            place = str(Portal(resolve(self._portal, deadline), self._portal.port)).encode()
            self._begin(self._library.iscsi_full_connect_async, place, -1, self._callback, None)
            self._wait(deadline)
            if self._status != libiscsi.GOOD:
                raise login_error(self._place, self._words)
        except BaseException:
            self.abandon()
            raise

    def discover(self, deadline: float) -> tuple[Target, ...]:
        """The targets that the portal tells this initiator of."""
        try:
            self._begin(self._library.iscsi_discovery_async, self._callback, None)
            self._wait(deadline)
            if self._status != libiscsi.GOOD:
                raise LunError(f"{self._place} does not tell its targets: {self._words}")
            return tuple(_target(name, portals) for name, portals in self._listed)
        except BaseException:
            self.abandon()
            raise

    def command(
        self, lun: int, cdb: bytes, deadline: float, *, what: str, answer_bytes: int = 0, data: bytes = b""
    ) -> bytes:
        """What the LUN answers to a command, which sends `data` or expects that many bytes, or neither."""
        while True:
            task = self._run(lun, cdb, deadline, answer_bytes, data)
            match task.status:
                case libiscsi.GOOD:
                    return task.answer
                case libiscsi.CHECK_CONDITION:
                    if (task.sense_key, task.asc) == (0x5, _LOGICAL_UNIT_NOT_SUPPORTED):
                        raise LunNotFound(f"{self._place} has no such LUN")
                    raise LunSense(f"{self._place} {what}", task.sense_key, task.asc, task.ascq)
                case libiscsi.BUSY | libiscsi.TASK_SET_FULL:  # not taken on: it may be sent again
                    if time.monotonic() + BUSY_S > deadline:
                        self.abandon()
                        raise LunUnreachable(f"{self._place} {what}: the target has too much to do")
                    time.sleep(BUSY_S)
                case libiscsi.RESERVATION_CONFLICT:
                    raise LunError(f"{self._place} {what}: another initiator has reserved the LUN")
                case status:
                    self.abandon()
                    raise LunUnreachable(f"{self._place} {what}: the session is lost ({status:#x} {self._words})")

    def _run(self, lun: int, cdb: bytes, deadline: float, answer_bytes: int, data: bytes) -> "_Ended":
        lib = self._library
        direction = libiscsi.TO_INITIATOR if answer_bytes else libiscsi.TO_TARGET if data else libiscsi.NO_DATA
        answer = ctypes.create_string_buffer(answer_bytes) if answer_bytes else None
        task = lib.scsi_create_task(len(cdb), cdb, direction, answer_bytes or len(data))
        if not task:
            raise LunError("libiscsi has no memory for a command")
        try:
            sent = libiscsi.Data(len(data), ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p)) if data else None
            if answer is not None:
                lib.scsi_task_add_data_in_buffer(task, answer_bytes, answer)
            self._begin(lib.iscsi_scsi_command_async, on_the_wire(lun), task, self._callback, sent, None)
            self._wait(deadline)
            return _Ended.of_task(task.contents, self._status, answer.raw if answer is not None else b"")
        except BaseException:
            self.abandon()  # before the task and its buffers go, which it would still read and write
            raise
        finally:
            lib.scsi_free_scsi_task(task)

    def logout(self, deadline: float) -> None:
        """End it as the target likes it; what cannot be said any more is left unsaid."""
        if self._context is None:
            return
        try:
            self._begin(self._library.iscsi_logout_async, self._callback, None)
            self._wait(deadline)
        except LunError:
            self.abandon()
            return
        self._destroy()

    def abandon(self) -> None:
        """End it at once. What is still to be sent is not sent any more."""
        if self._context is not None:
            _forget_unsent(self._library.iscsi_get_fd(self._context))
            self._destroy()

    def _destroy(self) -> None:
        context, self._context = self._context, None
        self._library.iscsi_destroy_context(context)

    # Waiting

    def _begin(self, function: Any, *arguments: Any) -> None:
        if self._context is None:
            raise LunUnreachable(f"{self._place}: the session has ended")
        self._status = None
        if function(self._context, *arguments) != 0:
            raise LunUnreachable(f"{self._place} cannot be asked: {self._told()}")

    def _wait(self, deadline: float) -> None:
        lib = self._library
        while self._status is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LunUnreachable(f"{self._place} does not answer")
            descriptor = lib.iscsi_get_fd(self._context)
            if descriptor < 0:
                raise LunUnreachable(f"{self._place}: the connection is lost ({self._told()})")
            waited = select.poll()
            waited.register(descriptor, lib.iscsi_which_events(self._context))
            happened = waited.poll(min(left, _TICK_S) * 1000)
            events = happened[0][1] if happened else 0
            if lib.iscsi_service(self._context, events) < 0 and self._status is None:
                raise LunUnreachable(f"{self._place}: the connection is lost ({self._told()})")

    def _ended(self, _context: Any, status: int, found: Any, _private: Any) -> None:
        self._status = status
        if status != libiscsi.GOOD:
            self._words = self._told()  # before libiscsi says something else of what follows from it
        if status == libiscsi.GOOD and found and self._is_discovering:
            self._listed = _listed(ctypes.cast(found, ctypes.POINTER(libiscsi.TargetNode)))

    def _told(self) -> str:
        told: bytes | None = self._library.iscsi_get_error(self._context) if self._context else None
        return (told or b"").decode("utf-8", "replace").strip()


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a command ended."""

    status: int
    answer: bytes
    sense_key: int
    asc: int
    ascq: int

    @classmethod
    def of_task(cls, task: Any, status: int | None, answer: bytes) -> "_Ended":
        missing = task.residual if task.residual_status == libiscsi.UNDERFLOW else 0
        both = task.sense_ascq
        told = answer[: len(answer) - missing] if missing else answer
        return cls(status or 0, told, task.sense_key, both >> 8 & 0xFF, both & 0xFF)


def _listed(node: Any) -> list[tuple[str, list[str]]]:
    """The names of targets and portals as they were told: libiscsi keeps both lists backwards, and not for long."""
    listed = []
    while node:
        portals, portal = [], node.contents.portals
        while portal:
            portals.append(portal.contents.portal.decode("utf-8", "replace"))
            portal = portal.contents.next
        listed.append((node.contents.name.decode("utf-8", "replace"), portals[::-1]))
        node = node.contents.next
    return listed[::-1]


def _target(name: str, portals: list[str]) -> Target:
    try:
        return Target(name, tuple(map(Portal.of_text, portals)))
    except ValueError as error:
        raise LunError(f"the portals of {name} cannot be read: {error}") from None


def _forget_unsent(descriptor: int) -> None:
    """Let the end of a connection throw away what is queued in this host, rather than send it when it can.

    A write that was given up would otherwise reach the target after the cable is back, and after later writes.
    """
    if descriptor >= 0:
        connection = socket.socket(fileno=descriptor)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # it is closed already
        finally:
            connection.detach()  # libiscsi closes it


def login_error(place: str, told: str) -> LunError:
    """What a failed login means, from libiscsi's words."""
    status = _LOGIN_STATUS.search(told)
    code = int(status[2]) if status else 0
    if code in _REFUSED:
        return LunLoginRefused(f"{place} does not let this initiator in: {status[1] if status else ''}")
    if code in _NOT_FOUND:
        return TargetNotFound(f"{place}: the portal has no such target, or none for this initiator")
    if "CHAP" in told:
        return LunLoginRefused(f"{place} does not prove itself as mutual CHAP wants it: {told}")
    return LunUnreachable(f"{place} cannot be logged in to: {told}")


def resolve(portal: Portal, deadline: float) -> str:
    """The number of a portal's address. A look-up that lasts longer is left to itself."""
    if portal.is_numeric:
        return portal.address
    found: list[str] = []
    ended = threading.Event()

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(portal.address, portal.port, type=socket.SOCK_STREAM)
            found.extend(str(answer[4][0]) for answer in answers)
        except (OSError, UnicodeError):
            pass
        ended.set()

    threading.Thread(target=look_up, name="lun-look-up", daemon=True).start()
    ended.wait(max(0.0, deadline - time.monotonic()))
    if not found:
        why = "is not known" if ended.is_set() else "was not looked up in time"
        raise AddressUnknown(f"the name {portal.address} {why}")
    return found[0]
