"""Who counts as one guesser."""

from cardume.guessers import guesser


def test_who_owns_a_whole_network_is_one_guesser() -> None:
    assert guesser("2001:db8:1:2:3::1") == guesser("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert guesser("2001:db8:1:3::1") == "2001:db8:1:3::/64"
    assert guesser("fe80::1%eth0") == "fe80::/64"
    assert guesser("::ffff:10.0.0.1") == guesser("10.0.0.1") == "10.0.0.1"
    assert guesser("host") == "host"
