"""What is understood of packets that guests send, and what a book of them keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.packets import MAC, arp, dhcp

from cardume.core.seen_addresses import (
    FADE_S,
    MOST_ADDRESSES,
    MOST_CARDS,
    AddressBook,
    Sighting,
    seen_in_arp,
    seen_in_ip,
)

T0 = 1_790_000_000.0


@pytest.mark.parametrize("operation", [1, 2])
def test_who_asks_or_answers_by_arp_says_its_address(operation: int) -> None:
    assert seen_in_arp(arp("10.0.0.7", operation=operation)) == Sighting(MAC, "10.0.0.7")


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1"])
def test_what_is_no_address_of_one_host_is_not_taken(address: str) -> None:
    assert seen_in_arp(arp(address)) is None


def test_a_lease_is_what_a_client_asks_for_and_what_a_server_gives() -> None:
    asked = dhcp(3, asks="10.0.0.8", ports=(68, 67))
    renewed = dhcp(3, has="10.0.0.9", ports=(68, 67))
    granted = dhcp(5, given="10.0.0.10", ports=(67, 68))
    found = [seen_in_ip(packet) for packet in (asked, renewed, granted)]
    assert found == [Sighting(MAC, f"10.0.0.{last}", is_lease=True) for last in (8, 9, 10)]


def test_a_client_that_only_looks_around_has_no_address_yet() -> None:
    assert seen_in_ip(dhcp(1, asks="10.0.0.8", ports=(68, 67))) is None
    assert seen_in_ip(dhcp(2, given="10.0.0.8", ports=(67, 68))) is None


@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_a_fault(packet: bytes) -> None:
    seen_in_arp(packet)
    seen_in_ip(packet)


@given(st.integers(0, 300))
def test_half_a_packet_is_read_without_a_fault(length: int) -> None:
    seen_in_ip(dhcp(5, given="10.0.0.10", ports=(67, 68))[:length])
    seen_in_arp(arp("10.0.0.7")[:length])


def test_a_card_has_the_addresses_that_it_was_heard_with_in_the_order_that_they_came() -> None:
    book = AddressBook()
    for at_s, address in enumerate(("10.0.0.7", "10.0.0.8", "10.0.0.7")):
        book.note(Sighting(MAC, address), T0 + at_s)
    assert book.addresses(MAC, T0) == ("10.0.0.7", "10.0.0.8")
    assert book.addresses("52:54:00:00:00:00", T0) == ()


def test_what_was_heard_before_the_guest_began_is_of_another_life() -> None:
    book = AddressBook()
    book.note(Sighting(MAC, "10.0.0.7"), T0)
    assert book.addresses(MAC, T0 + 1) == ()


def test_a_lease_takes_the_place_of_all_others() -> None:
    book = AddressBook()
    book.note(Sighting(MAC, "169.254.1.1"), T0)
    book.note(Sighting(MAC, "10.0.0.7", is_lease=True), T0 + 1)
    assert book.addresses(MAC, T0) == ("10.0.0.7",)


def test_an_address_fades_when_the_card_has_another_one_and_not_before() -> None:
    book = AddressBook()
    book.note(Sighting(MAC, "10.0.0.7"), T0)
    assert book.addresses(MAC, T0) == ("10.0.0.7",)
    book.note(Sighting(MAC, "10.0.0.8"), T0 + FADE_S + 1)
    assert book.addresses(MAC, T0) == ("10.0.0.8",)


def test_a_guest_that_says_much_takes_no_more_than_its_share() -> None:
    book = AddressBook()
    for number in range(3 * MOST_ADDRESSES):
        book.note(Sighting(MAC, f"10.0.0.{number + 1}"), T0 + number)
    assert len(book.addresses(MAC, T0)) == MOST_ADDRESSES
    for number in range(MOST_CARDS):
        book.note(Sighting(f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}", "10.0.0.1"), T0 + 100)
    assert book.addresses(MAC, T0) == ()
