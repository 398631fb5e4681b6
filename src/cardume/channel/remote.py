"""The side that asks: the hands of another host, as if they were here."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

import structlog

from cardume.channel import values
from cardume.channel.interfaces import DEFAULT_S, Kind, Method, methods, properties
from cardume.channel.link import Link
from cardume.channel.serving import BRIDGES, COPIER, GUESTS, HA, HOST, LEAVE_BLOCK, MACHINE, METER, NETWORK, STORAGE
from cardume.channel.streams import Dial, opened
from cardume.hostops.errors import HostError
from cardume.hostops.guests.console import ByteStream
from cardume.hostops.guests.guest import GuestEvent
from cardume.hostops.guests.interface import EventSink, Guests
from cardume.hostops.ha.interface import HaAgent
from cardume.hostops.hands import Hands
from cardume.hostops.machine.interface import Machine
from cardume.hostops.metrics.interface import Meter
from cardume.hostops.network.host_network import HostNetwork
from cardume.hostops.network.interface import Bridges
from cardume.hostops.storage.driver import Copier, Prober, StorageDriver

log = structlog.get_logger(__name__)

DRIVER_FACTS = ("type", "name_label", "name_description", "configuration", "capabilities", "default_content_type")

NOT_WAITED_FOR = frozenset({HA})
"""Whoever gives up asking these wants to know at once: the host may be dead, and its connection look alive."""


class RemoteHost:
    """A host at the other end of a link."""

    def __init__(self, here: Hands, dial: Dial) -> None:
        """`here`: this host's hands; both hosts are of one version, so what their drivers are is the same.

        `dial`: makes a connection of its own for a stream of bytes.
        """
        self._here = here
        self._dial = dial
        self._link: Link | None = None
        self._sinks: list[EventSink] = []
        self._resyncs: list[Callable[[], Awaitable[None]]] = []
        self._called_back: dict[str, Callable[..., Any]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, link: Link) -> None:
        """Reach the host over this link from now on."""
        self._link = link
        link.listen(self._listen)

    @property
    def is_up(self) -> bool:
        return self._link is not None and self._link.is_up

    async def close(self) -> None:
        """End the link; what waits for an answer fails."""
        if self._link is not None:
            await self._link.close()

    async def inventory(self, kind: type) -> Any:
        """What the host says of itself, as a value of this type."""
        return values.load(kind, await self.ask(HOST, "inventory", {}, DEFAULT_S), "inventory")

    def hands(self) -> Hands:
        """Its hands."""
        storage = {kind: self._driver(kind, driver) for kind, driver in self._here.storage.items()}
        guests = self._stub(GUESTS, Guests)
        guests.subscribe, guests.on_reconnect = self._subscribe, self._resyncs.append
        network = self._stub(NETWORK, HostNetwork)
        network.lock = asyncio.Lock()
        return Hands(
            guests=cast(Guests, guests),
            storage=storage,
            copier=cast(Copier, self._stub(COPIER, Copier)),
            bridges=cast(Bridges, self._stub(BRIDGES, Bridges)),
            network=cast(HostNetwork, network),
            machine=cast(Machine, self._stub(MACHINE, Machine)),
            meter=cast(Meter, self._stub(METER, Meter)),
            ha=cast(HaAgent, self._stub(HA, HaAgent)),
        )

    async def ask(self, on: str, do: str, given: dict[str, Any], timeout_s: float, *, until_ended: bool = False) -> Any:
        """See `Link.ask`."""
        if self._link is None:
            raise HostError("the host is not connected")
        return await self._link.ask(on, do, given, timeout_s=timeout_s, until_ended=until_ended)

    async def answer(self, on: str, do: str, given: dict[str, Any]) -> Any:
        """The `Answerer` of link.py: what the other host asks back in the middle of a call."""
        step = self._called_back.get(on)
        if step is None or do != "step":
            raise HostError(f"nothing here is called {on}")
        await step()

    def _driver(self, kind: str, here: StorageDriver) -> StorageDriver:
        interfaces = (StorageDriver, Prober) if isinstance(here, Prober) else (StorageDriver,)
        stub = self._stub(STORAGE + kind, *interfaces)
        for name in DRIVER_FACTS:
            setattr(stub, name, getattr(here, name))
        stub.check_config = here.check_config
        if isinstance(here, Prober):
            stub.missing_keys = here.missing_keys
        return cast(StorageDriver, stub)

    def _stub(self, on: str, *interfaces: type) -> Any:
        """An object whose methods ask the other host."""
        calls = {
            name: self._remote(on, method) for interface in interfaces for name, method in methods(interface).items()
        }
        return type(f"Remote{interfaces[0].__name__}", (), {name: staticmethod(call) for name, call in calls.items()})()

    def _remote(self, on: str, method: Method) -> Callable[..., Any]:
        if method.opens is None:
            return self._caller(on, method)
        return self._streamer(on, method) if method.opens is ByteStream else self._opener(on, method)

    def _streamer(self, on: str, method: Method) -> Callable[..., Any]:
        def stream(*args: Any, **kwargs: Any) -> AbstractAsyncContextManager[ByteStream]:
            given, _, _ = self._dump(method, args, kwargs)
            return opened(self._dial, on, method.name, given)

        return stream

    def _caller(self, on: str, method: Method) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            given, names, time_s = self._dump(method, args, kwargs)
            try:
                answer = await self.ask(on, method.name, given, time_s, until_ended=on not in NOT_WAITED_FOR)
            finally:
                for name in names:
                    self._called_back.pop(name, None)
            return values.load(method.result, answer, method.name)

        return call

    def _opener(self, on: str, method: Method) -> Callable[..., Any]:
        @asynccontextmanager
        async def opened(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            given, _, time_s = self._dump(method, args, kwargs)
            told = await self.ask(on, method.name, given, time_s, until_ended=on not in NOT_WAITED_FOR)
            name = str(told["object"])
            inside = None
            if method.opens is not None and method.opens is not type(None):
                inside = self._stub(name, method.opens)
                for key, kind in properties(method.opens).items():
                    setattr(inside, key, values.load(kind, told["properties"][key], key))
            try:
                yield inside
            except BaseException as fault:
                await asyncio.shield(self._leave(name, f"{type(fault).__name__}: {fault}"))
                raise
            await self._leave(name, "")

        return opened

    async def _leave(self, name: str, failure: str) -> None:
        try:
            await self.ask(name, LEAVE_BLOCK, {"failure": failure}, DEFAULT_S)
        except HostError:
            if not failure:
                raise
            log.warning("remote_block_not_left", block=name, failure=failure)

    def _dump(
        self, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], list[str], float]:
        """The parameters as JSON, the names under which the other host calls back, and how long it may take."""
        bound = method.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given: dict[str, Any] = {}
        names = []
        for key, value in bound.arguments.items():
            if method.kinds[key] is Kind.VALUE:
                given[key] = values.dump(value)
            else:
                given[key] = f"back/{next(self._numbers)}"
                names.append(given[key])
                self._called_back[given[key]] = value
        return given, names, method.time_s(bound.arguments)

    def _subscribe(self, sink: EventSink) -> Callable[[], None]:
        self._sinks.append(sink)
        return lambda: self._sinks.remove(sink)

    def _listen(self, on: str, do: str, given: dict[str, Any]) -> None:
        match on, do:
            case "guests", "event":
                event = values.load(GuestEvent, given["event"], "event")
                for sink in list(self._sinks):
                    sink(event)
            case "guests", "reconnected":
                for resync in self._resyncs:
                    task = asyncio.ensure_future(resync())
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            case name, "progress":
                progress = self._called_back.get(name)
                if progress is not None:
                    progress(float(given["fraction"]))
