"""Starts that were given up: never given any more, or in doubt until it is known what became of them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from cardume.hostops.errors import GuestError
from cardume.hostops.guests import start_orders
from cardume.hostops.guests.qemu_process import has_process
from cardume.hostops.guests.start_orders import StartOrders, give, which_libvirtd

GUEST = "44444444-4444-4444-8444-444444444444"


class ConnectionLost(GuestError):
    """As libvirt's binding says it."""


class Host:
    """What is true on a host: its libvirtd, whether that answers, and the guests' processes."""

    def __init__(self) -> None:
        self.libvirtd = 1
        self.answers = True
        self.processes: set[str] = set()
        self.orders = StartOrders(
            ask=self._ask, has_process=self.processes.__contains__, libvirtd=lambda: self.libvirtd
        )

    async def _ask(self) -> None:
        if not self.answers:
            raise GuestError("no answer")


def fail(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(start_orders, "LOOK_S", 0.01)
    return Host()


def given_up(host: Host) -> start_orders.StartOrder:
    """An order that libvirtd has, and nobody waits for."""
    order = host.orders.begin()
    order.give()
    host.orders.give_up(GUEST, order)
    return order


async def is_settled(host: Host, within_s: float = 0.2) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await host.orders.settled(GUEST)
    except TimeoutError:
        return False
    return True


async def test_one_that_was_given_up_before_libvirtd_had_it_is_never_given(host: Host) -> None:
    order = host.orders.begin()
    host.orders.give_up(GUEST, order)
    assert host.orders.in_doubt == frozenset()
    done: list[str] = []
    with pytest.raises(GuestError):
        give(order, lambda: done.append("created"), ConnectionLost)
    assert done == []
    assert not order.was_given, "a guest that is there was there before: nobody may end it for this order"
    assert given_up(host).was_given


@pytest.mark.parametrize("outcome", [None, GuestError("no such disk")])
async def test_one_that_was_answered_is_not_in_doubt(host: Host, outcome: GuestError | None) -> None:
    order = host.orders.begin()
    if outcome is None:
        give(order, lambda: None, ConnectionLost)
    else:
        with pytest.raises(GuestError):
            give(order, fail(outcome), ConnectionLost)
    host.orders.give_up(GUEST, order)
    assert host.orders.in_doubt == frozenset()
    assert await is_settled(host, 20)


async def test_one_that_libvirtd_works_at_is_in_doubt_until_it_answers(host: Host) -> None:
    order = given_up(host)
    assert host.orders.in_doubt == {GUEST}
    assert not await is_settled(host)
    order.answered()
    assert await is_settled(host, 20)
    assert host.orders.in_doubt == frozenset()


async def test_or_until_its_process_is_there_or_libvirtd_is_another(host: Host) -> None:
    given_up(host)
    host.processes.add(GUEST)
    assert await is_settled(host, 20)
    host.processes.clear()
    given_up(host)
    host.libvirtd = 2
    assert await is_settled(host, 20)


async def test_one_whose_connection_was_lost_is_settled_when_libvirtd_has_answered_others_for_long(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_orders, "LOST_S", 0.05)
    order = host.orders.begin()
    with pytest.raises(ConnectionLost):
        give(order, fail(ConnectionLost("gone")), ConnectionLost)
    host.orders.give_up(GUEST, order)
    host.answers = False
    assert not await is_settled(host)
    host.answers = True
    assert await is_settled(host, 20)


async def test_one_of_an_earlier_life_of_the_daemon_is_as_one_whose_connection_was_lost(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.orders.recall(GUEST)
    host.libvirtd = 2  # nobody knows which one had it
    assert not await is_settled(host)
    monkeypatch.setattr(start_orders, "LOST_S", 0.05)
    assert await is_settled(host, 20)


def test_a_guests_process_is_found_by_its_uuid(tmp_path: Path) -> None:
    (tmp_path / "17").mkdir()
    (tmp_path / "17" / "cmdline").write_bytes(
        b"/usr/bin/qemu-system-x86_64\0-name\0a\0-uuid\0" + GUEST.encode() + b"\0-S\0"
    )
    (tmp_path / "18").mkdir()
    (tmp_path / "self").mkdir()
    assert has_process(GUEST, tmp_path)
    assert not has_process("55555555-4444-4444-8444-444444444444", tmp_path)


def test_libvirtd_is_known_by_its_process(tmp_path: Path) -> None:
    noted = tmp_path / "libvirtd.pid"
    assert which_libvirtd(noted) is None
    noted.write_text("1\n")
    assert which_libvirtd(noted) == which_libvirtd(noted) is not None
