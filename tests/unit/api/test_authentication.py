"""Logging in: kept passwords, and delays that make guessing useless."""

import asyncio
import time

from cardume.api.authentication import PasswordAuthenticator
from cardume.core.passwords import hash_password, verify_password
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


async def test_each_failure_of_an_address_takes_longer_up_to_a_limit() -> None:
    authenticator = PasswordAuthenticator(InMemory(), nobody, first_delay_s=0.1, longest_delay_s=0.3)
    took = []
    for _ in range(4):
        began = time.monotonic()
        assert await authenticator.verify("root", "wrong", "a") is None
        took.append(time.monotonic() - began)
    assert took[0] >= 0.1
    assert took[1] >= 0.2
    assert took[2] >= 0.3
    assert took[3] < 0.3 + 2.0  # 0.8 s and more without the limit; the rest is the hash on a busy machine


async def test_guesses_in_parallel_gain_nothing_and_other_addresses_do_not_wait() -> None:
    authenticator = PasswordAuthenticator(InMemory(), nobody, first_delay_s=0.2, longest_delay_s=0.2)
    began = time.monotonic()
    guesses = asyncio.gather(*(authenticator.verify("root", f"{number}", "a") for number in range(5)))
    await asyncio.sleep(0.05)
    assert await authenticator.verify("root", "right", "b") is not None
    assert time.monotonic() - began < 0.9
    assert await guesses == [None] * 5
    assert time.monotonic() - began >= 1.0
