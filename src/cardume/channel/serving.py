"""The side that has the hands: does what another host of the pool asks of them."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from cardume.channel import values
from cardume.channel.interfaces import DEFAULT_S, Kind, Method, methods, properties
from cardume.channel.link import Link
from cardume.hostops.errors import HostError, LinkLost
from cardume.hostops.guests.guest import GuestEvent
from cardume.hostops.guests.interface import Guests
from cardume.hostops.ha.interface import HaAgent
from cardume.hostops.hands import Hands
from cardume.hostops.machine.interface import Machine
from cardume.hostops.metrics.interface import Meter
from cardume.hostops.network.host_network import HostNetwork
from cardume.hostops.network.interface import Bridges
from cardume.hostops.storage.driver import Copier, Prober, StorageDriver

GUESTS, COPIER, BRIDGES, NETWORK, MACHINE, STORAGE = "guests", "copier", "bridges", "network", "machine", "storage/"
METER, HA = "meter", "ha"
HOST = "host"
LEAVE_BLOCK = "leave block"
"""What ends an opened block: no method can have that name."""


class Serving:
    """The hands of this host, offered over a link."""

    def __init__(self, hands: Hands, more: Mapping[str, Callable[..., Awaitable[Any]]]) -> None:
        """`more`: what the host itself answers besides, by name; called with the JSON that came."""
        self._hands = hands
        self._more = more
        self._objects: dict[str, tuple[tuple[type, ...], Any]] = {
            GUESTS: ((Guests,), hands.guests),
            COPIER: ((Copier,), hands.copier),
            BRIDGES: ((Bridges,), hands.bridges),
            NETWORK: ((HostNetwork,), hands.network),
            MACHINE: ((Machine,), hands.machine),
            METER: ((Meter,), hands.meter),
            HA: ((HaAgent,), hands.ha),
        }
        for kind, driver in hands.storage.items():
            offered = (StorageDriver, Prober) if isinstance(driver, Prober) else (StorageDriver,)
            self._objects[STORAGE + kind] = (offered, driver)
        self._opened: dict[str, asyncio.Future[str]] = {}
        self._numbers = itertools.count(1)
        self._link: Link | None = None

    @asynccontextmanager
    async def over(self, link: Link) -> AsyncIterator[None]:
        """Offer them over this link as long as the block lasts; what was opened and not closed has failed then."""
        self._link = link
        tells: set[asyncio.Task[None]] = set()

        def tell(event: GuestEvent) -> None:
            task = asyncio.ensure_future(link.tell(GUESTS, "event", {"event": values.dump(event)}))
            tells.add(task)
            task.add_done_callback(tells.discard)

        async def resync() -> None:
            await link.tell(GUESTS, "reconnected", {})

        stop = self._hands.guests.subscribe(tell)
        self._hands.guests.on_reconnect(resync)
        try:
            yield
        finally:
            stop()
            for leave in list(self._opened.values()):
                if not leave.done():
                    leave.set_result("the host that asked went away")

    async def answer(self, on: str, do: str, given: dict[str, Any]) -> Any:
        """The `Answerer` of link.py."""
        if on == HOST and do in self._more:
            return values.dump(await self._more[do](**given))
        if do == LEAVE_BLOCK:
            leave = self._opened.get(on)
            if leave is not None and not leave.done():
                leave.set_result(str(given.get("failure", "")))
            return await self._objects[f"{on} end"][1] if f"{on} end" in self._objects else None
        if on not in self._objects:
            raise HostError(f"this host has no {on}")
        interfaces, subject = self._objects[on]
        method = next((methods(one)[do] for one in interfaces if do in methods(one)), None)
        if method is None:
            raise HostError(f"{on} cannot do {do}")
        tellers: list[_Teller] = []
        arguments = self._arguments(method, given, tellers)
        if method.opens is not None:
            return await self._open(method, getattr(subject, do)(**arguments))
        answer = values.dump(await getattr(subject, do)(**arguments))
        for teller in tellers:
            await teller.flush()
        return answer

    def _arguments(self, method: Method, given: Mapping[str, Any], tellers: "list[_Teller]") -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for name, kind in method.kinds.items():
            if name not in given:
                continue
            match kind:
                case Kind.VALUE:
                    arguments[name] = values.load(method.types[name], given[name], name)
                case Kind.PROGRESS:
                    tellers.append(_Teller(self._link, str(given[name])))
                    arguments[name] = tellers[-1]
                case Kind.STEP:
                    arguments[name] = self._asker(str(given[name]))
        return arguments

    def _asker(self, name: str) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            if self._link is None:
                raise LinkLost("the host that asked went away")
            await self._link.ask(name, "step", {}, timeout_s=DEFAULT_S)

        return step

    async def _open(self, method: Method, context: AbstractAsyncContextManager[Any]) -> Any:
        """Enter a block in a task of its own: it is left from another call, or because the link is gone."""
        name = f"opened/{next(self._numbers)}"
        loop = asyncio.get_running_loop()
        entered: asyncio.Future[Any] = loop.create_future()
        leave: asyncio.Future[str] = loop.create_future()

        async def hold() -> None:
            try:
                async with context as inside:
                    entered.set_result(inside)
                    if failure := await leave:
                        raise _LeftByFailure(failure)
            except _LeftByFailure:
                pass
            except BaseException as fault:
                if entered.done():
                    raise
                entered.set_exception(fault)

        task = asyncio.create_task(hold())
        self._opened[name] = leave
        task.add_done_callback(lambda _: self._forget(name))
        try:
            inside = await asyncio.shield(entered)
        except asyncio.CancelledError:
            task.cancel()
            raise
        self._objects[f"{name} end"] = ((), task)
        if inside is None:
            return {"object": name, "properties": {}}
        assert method.opens is not None, "it opened something"
        self._objects[name] = ((method.opens,), inside)
        told = {key: values.dump(getattr(inside, key)) for key in properties(method.opens)}
        return {"object": name, "properties": told}

    def _forget(self, name: str) -> None:
        self._opened.pop(name, None)
        self._objects.pop(name, None)
        task = self._objects.pop(f"{name} end", (None, None))[1]
        if task is not None and not task.cancelled():
            with contextlib.suppress(BaseException):
                task.exception()


class _LeftByFailure(Exception):
    """The block failed on the other host: what it was for is taken back."""


class _Teller:
    """A progress that is told to the host that asked, as fast as the link takes it; the last one always."""

    def __init__(self, link: Link | None, name: str) -> None:
        self._link, self._name = link, name
        self._latest: float | None = None
        self._telling: asyncio.Task[None] | None = None

    def __call__(self, fraction: float) -> None:
        self._latest = fraction
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def flush(self) -> None:
        """Return when the latest is on its way."""
        if self._telling is not None:
            await self._telling

    async def _tell(self) -> None:
        with contextlib.suppress(LinkLost):  # whoever asked is gone
            while self._latest is not None and self._link is not None:
                fraction, self._latest = self._latest, None
                await self._link.tell(self._name, "progress", {"fraction": fraction})
