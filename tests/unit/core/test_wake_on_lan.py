"""The packet that switches a machine on."""

import pytest

from cardume.core.wake_on_lan import broadcast_address, magic_packet


def test_the_packet_is_six_bytes_of_ones_and_the_card_s_address_sixteen_times() -> None:
    packet = magic_packet("02:00:00:0a:0B:0c")
    assert packet == b"\xff" * 6 + b"\x02\x00\x00\x0a\x0b\x0c" * 16
    assert len(packet) == 102


def test_everybody_in_the_network_is_told() -> None:
    assert broadcast_address("10.147.0.11", "255.255.255.0") == "10.147.0.255"
    with pytest.raises(ValueError, match="Address cannot be empty"):
        broadcast_address("", "")
