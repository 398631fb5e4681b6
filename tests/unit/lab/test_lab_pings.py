"""What `ping` prints, read as answers and gaps."""

from cardume.lab.pings import read_answers

PRINTED = """PING 10.0.0.100 (10.0.0.100) 56(84) bytes of data.
[1700000000.000000] 64 bytes from 10.0.0.100: icmp_seq=1 ttl=64 time=0.512 ms
[1700000000.050000] 64 bytes from 10.0.0.100: icmp_seq=2 ttl=64 time=0.498 ms
[1700000000.450000] 64 bytes from 10.0.0.100: icmp_seq=5 ttl=64 time=250 ms
[1700000000.450100] 64 bytes from 10.0.0.100: icmp_seq=5 ttl=64 time=250 ms (DUP!)
[1700000000.500000] 64 bytes from 10.0.0.100: icmp_seq=6 ttl=64 time=0.6 ms

--- 10.0.0.100 ping statistics ---
6 packets transmitted, 4 received, 33.3333% packet loss, time 300ms
"""


def test_gaps_are_from_one_reply_to_the_next_and_lost_pings_are_counted() -> None:
    answers = read_answers(PRINTED)

    assert (answers.sent, len(answers.times_s), answers.lost) == (6, 4, 2)
    assert round(answers.longest_gap_s, 3) == 0.4
    assert answers.round_trips_ms == (0.512, 0.498, 250.0, 0.6)


def test_an_error_on_the_way_is_no_answer() -> None:
    answers = read_answers(
        "PING 10.0.0.9 (10.0.0.9) 56(84) bytes of data.\n"
        "[1700000000.000000] 64 bytes from 10.0.0.9: icmp_seq=1 ttl=64 time=0.512 ms\n"
        "[1700000003.000000] From 10.0.0.1 icmp_seq=2 Destination Host Unreachable\n"
        "[1700000003.000010] From 10.0.0.1 icmp_seq=3 Destination Host Unreachable\n"
        "[1700000003.100000] 64 bytes from 10.0.0.9: icmp_seq=4 ttl=64 time=0.4 ms\n"
        "\n4 packets transmitted, 2 received, +2 errors, 50% packet loss, time 3100ms\n"
    )

    assert (answers.sent, answers.lost, round(answers.longest_gap_s, 3)) == (4, 2, 3.1)


def test_who_never_answers_has_no_end_of_the_gap() -> None:
    answers = read_answers("PING 10.0.0.9\n\n3 packets transmitted, 0 received, 100% packet loss, time 100ms\n")

    assert (answers.sent, answers.lost, answers.longest_gap_s) == (3, 3, float("inf"))
