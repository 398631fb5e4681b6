"""Orders to start guests whose outcome nobody knows: given to libvirtd, and their callers gave up, or lost it.

Such a guest may come up minutes later. Whoever wants to say that none will has to wait until it is settled: libvirtd
has answered, it has been started anew since, or the guest's process is there, where everybody sees it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.qemu_process import has_process, start_ticks

LOOK_S = 0.5
LOST_S = 60.0
"""A libvirtd that lost the connection of an order has done it, or will not, when it has answered others for so long."""
LIBVIRTD = Path("/run/libvirtd.pid")


class StartOrder:
    """One order, between the thread that gives it and whoever waits for it."""

    def __init__(self, libvirtd: object) -> None:
        self.libvirtd = libvirtd
        self._lock = threading.Lock()
        self._is_given = self._is_answered = self._is_given_up = False
        self.is_lost = False

    def give(self) -> None:
        """Right before libvirtd gets it; GuestError when nobody wants it any more."""
        with self._lock:
            if self._is_given_up:
                raise GuestError("the start was given up before libvirt was asked")
            self._is_given = True

    def answered(self) -> None:
        """Libvirtd has answered, whatever."""
        with self._lock:
            self._is_answered = True

    def give_up(self) -> None:
        """Nobody waits for it any more: if it was not given yet, it never is."""
        with self._lock:
            self._is_given_up = True

    @property
    def was_given(self) -> bool:
        """Whether what comes of it is there, or may come; once it was given up that does not change."""
        with self._lock:
            return self._is_given

    @property
    def is_in_doubt(self) -> bool:
        with self._lock:
            return self._is_given and not self._is_answered


def give(order: StartOrder, work: Callable[[], object], lost: type[GuestError]) -> None:
    """Give an order to libvirtd, and wait for its answer; in the thread that does. `lost`: there was none."""
    order.give()
    try:
        work()
    except lost:
        order.is_lost = True
        raise
    except BaseException:
        order.answered()
        raise
    order.answered()


class StartOrders:
    """Those of a host that are in doubt."""

    def __init__(
        self,
        *,
        ask: Callable[[], Awaitable[object]],
        has_process: Callable[[str], bool] = has_process,
        libvirtd: Callable[[], object] = lambda: which_libvirtd(),
    ) -> None:
        """`ask`: anything of libvirtd; GuestError when it does not answer."""
        self._ask, self._has_process, self._libvirtd = ask, has_process, libvirtd
        self._in_doubt: dict[str, StartOrder] = {}

    @property
    def in_doubt(self) -> frozenset[str]:
        """The guests that may come up though nobody waits for them."""
        return frozenset(self._in_doubt)

    def begin(self) -> StartOrder:
        """An order that is about to be given."""
        return StartOrder(self._libvirtd())

    def give_up(self, uuid: str, order: StartOrder) -> None:
        """Its caller goes without an answer."""
        order.give_up()
        if order.is_in_doubt:
            self._in_doubt[uuid] = order

    def recall(self, uuid: str) -> None:
        """An order of an earlier life of this daemon, which lost its connection with that."""
        order = StartOrder(None)
        order.give()
        order.is_lost = True
        self._in_doubt.setdefault(uuid, order)

    async def settled(self, uuid: str) -> None:
        """Return when this guest is there, or will not come up by an order that is in doubt."""
        quiet_since: float | None = None
        while (order := self._in_doubt.get(uuid)) is not None:
            if not order.is_in_doubt or await asyncio.to_thread(self._is_over, uuid, order):
                break
            now_s = asyncio.get_running_loop().time()
            if not order.is_lost or not await self._answers():
                quiet_since = None
            elif quiet_since is None:
                quiet_since = now_s
            elif now_s - quiet_since >= LOST_S:
                break
            await asyncio.sleep(LOOK_S)
        self._in_doubt.pop(uuid, None)

    def _is_over(self, uuid: str, order: StartOrder) -> bool:
        # In this order: one that began the process and then ended has left the process.
        is_another = order.libvirtd is not None and self._libvirtd() != order.libvirtd
        return self._has_process(uuid) or is_another

    async def _answers(self) -> bool:
        try:
            await self._ask()
        except GuestError:
            return False
        return True


def which_libvirtd(noted: Path = LIBVIRTD) -> object:
    """Names the process of libvirtd for ever; None when none is known."""
    try:
        pid = int(noted.read_text())
    except (OSError, ValueError):
        return None
    ticks = start_ticks(pid)
    return None if ticks is None else (pid, ticks)
