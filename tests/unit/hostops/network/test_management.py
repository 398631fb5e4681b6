"""The sentence of a refusal to touch the host's network."""

from cardume.hostops.network.management import NotOurNetwork


def test_a_refusal_says_what_to_do_by_hand() -> None:
    assert str(NotOurNetwork("eth0", "ifupdown")) == (
        "eth0 is configured by ifupdown, and Cardume changes systemd-networkd's files only. Nothing was changed. "
        "Make a bridge xenbr0 yourself (STP off, forward delay 0) with eth0 as its port and eth0's MAC address, "
        "move eth0's addresses, gateway and name servers to it, and run this again"
    )
