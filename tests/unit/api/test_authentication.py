"""Logging in: kept passwords, and delays that make guessing useless."""

import asyncio
import threading
import time

import pytest

from cardume.api import authentication
from cardume.api.authentication import HASHES_AT_ONCE, MOST_WAITING, PasswordAuthenticator
from cardume.core.passwords import NOBODY, hash_password, verify_password
from cardume.datamodel.roles import Role
from cardume.messages.session import Identity


class InMemory:
    def __init__(self) -> None:
        self.kept = {"root": hash_password("right")}

    def find_password(self, user: str) -> str | None:
        return self.kept.get(user)

    async def set_password(self, user: str, kept: str) -> None:
        self.kept[user] = kept


def nobody(user: str) -> Identity | None:
    return None


def test_a_password_is_kept_so_that_it_can_only_be_compared() -> None:
    kept = hash_password("señor", salt=b"0123456789abcdef")
    assert kept == "scrypt$16384$8$1$MDEyMzQ1Njc4OWFiY2RlZg==$" + kept.rpartition("$")[2]
    assert verify_password("señor", kept)
    assert not verify_password("senor", kept)
    for broken in ("", "x", "scrypt$1$2", "scrypt$16384$8$1$!$", "md5$16384$8$1$YQ==$YQ=="):
        assert not verify_password("señor", broken)


async def test_the_right_password_is_roots_and_a_changed_one_counts_at_once() -> None:
    authenticator = PasswordAuthenticator(InMemory(), nobody, first_delay_s=0)
    root = Identity("root", Role.LOCAL_ROOT, is_local_superuser=True)
    assert await authenticator.verify("root", "right", "a") == root
    assert await authenticator.verify("root", "right", "a") == root
    await authenticator.change("root", "new")
    assert await authenticator.verify("root", "right", "a") is None
    assert await authenticator.verify("root", "new", "a") == root
    assert await authenticator.verify("nobody", "", "a") is None
    assert await authenticator.verify("nobody", "right", "a") is None


async def test_each_failure_of_an_address_takes_longer_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    delays = []
    real = asyncio.sleep

    async def sleep(delay_s: float) -> None:
        delays.append(delay_s)
        await real(delay_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    authenticator = PasswordAuthenticator(InMemory(), nobody, first_delay_s=0.1, longest_delay_s=0.3)
    for least_s in (0.1, 0.2, 0.3, 0.3):
        began = time.monotonic()
        assert await authenticator.verify("root", "wrong", "a") is None
        assert time.monotonic() - began >= least_s
    assert delays == [0.1, 0.2, 0.3, 0.3]


async def test_guesses_in_parallel_gain_nothing_and_other_addresses_do_not_wait() -> None:
    authenticator = PasswordAuthenticator(InMemory(), nobody, first_delay_s=0.6, longest_delay_s=0.6)
    began = time.monotonic()
    guesses = asyncio.gather(*(authenticator.verify("root", f"{number}", "a") for number in range(5)))
    await asyncio.sleep(0.05)
    assert await authenticator.verify("root", "right", "b") is not None
    assert not guesses.done()
    assert await guesses == [None] * 5
    assert time.monotonic() - began >= 3.0


async def test_a_success_forgives_the_failures_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    delays = []

    async def sleep(delay_s: float) -> None:
        delays.append(delay_s)

    authenticator = PasswordAuthenticator(InMemory(), nobody)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(6):
        assert await authenticator.verify("root", "wrong", "10.0.0.1") is None
    assert authenticator.remembered == 1
    assert await authenticator.verify("root", "right", "10.0.0.1") is not None
    assert authenticator.remembered == 0
    assert await authenticator.verify("root", "wrong", "10.0.0.1") is None
    assert delays == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 1.0]


async def test_whoever_comes_over_the_hosts_own_socket_never_waits() -> None:
    authenticator = PasswordAuthenticator(InMemory(), nobody, first_delay_s=60, longest_delay_s=60)
    async with asyncio.timeout(60):
        for _ in range(3):
            assert await authenticator.verify("root", "wrong", "") is None
        assert await authenticator.verify("root", "right", "") is not None


async def test_guesses_above_a_number_fail_at_once_and_are_not_remembered() -> None:
    authenticator = PasswordAuthenticator(InMemory(), nobody, first_delay_s=60, longest_delay_s=60)
    guesses = [asyncio.ensure_future(authenticator.verify("root", "wrong", "a")) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)  # all of them queue
    while not authenticator._addresses["a"].failures:
        await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        assert await authenticator.verify("root", "right", "a") is None
        assert await authenticator.verify("root", "right", "b") is not None
    for guess in guesses:
        guess.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)
    assert authenticator._addresses["a"].waiting == 0


async def test_addresses_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "MOST_ADDRESSES", 5)
    authenticator = PasswordAuthenticator(InMemory(), nobody, first_delay_s=0, longest_delay_s=0)
    for number in range(12):
        assert await authenticator.verify("root", "wrong", f"10.0.0.{number}") is None
    assert authenticator.remembered == 5


async def test_a_storm_of_logins_hashes_few_at_a_time_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, most = 0, 0
    lock = threading.Lock()

    def slow(password: str, kept: str) -> bool:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.02)
        with lock:
            at_work -= 1
        return False

    monkeypatch.setattr(authentication, "verify_password", slow)
    authenticator = PasswordAuthenticator(InMemory(), nobody, first_delay_s=0, longest_delay_s=0)
    storm = asyncio.gather(*(authenticator.verify("root", "x", f"10.0.{n}.1") for n in range(60)))
    turns = 0
    while not storm.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert await storm == [None] * 60
    assert most == HASHES_AT_ONCE
    assert turns >= 5  # of the 0.6 s and more that the storm takes


async def test_an_unknown_user_costs_the_same_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []

    def note(password: str, kept: str) -> bool:
        hashed.append(kept)
        return verify_password(password, kept)

    monkeypatch.setattr(authentication, "verify_password", note)
    accounts = InMemory()
    authenticator = PasswordAuthenticator(accounts, nobody, first_delay_s=0, longest_delay_s=0)
    assert await authenticator.verify("root", "wrong", "a") is None
    assert await authenticator.verify("ghost", "wrong", "a") is None
    assert hashed == [accounts.kept["root"], NOBODY]
    assert [kept.split("$")[:4] for kept in hashed] == [["scrypt", "16384", "8", "1"]] * 2
