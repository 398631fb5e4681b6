"""What people are shown of the channels: how long a host was silent, and how long a trouble lasted."""

from cardume.ha.effects import Notice
from cardume.had.heard import Heard, Troubles


def test_the_silence_of_a_host_is_that_of_its_newest_sign_on_each_channel() -> None:
    heard = Heard()
    assert heard.silence(1, 100.0) == {"network_s": None, "statefile_s": None}
    heard.on_network(1, 0, 90.0)
    heard.on_network(1, 1, 91.5)
    heard.on_network(2, 1, 99.0)
    heard.on_disk(1, 3, 7, 92.0)
    heard.on_disk(1, 3, 7, 95.0)  # the same slot, read again
    assert heard.silence(1, 100.0) == {"network_s": 8.5, "statefile_s": 8.0}


def test_a_trouble_lasts_from_its_first_note_until_all_is_well() -> None:
    troubles = Troubles()
    assert troubles.note(Notice.PEER_BACK, 1, 1.0) is None
    assert troubles.note(Notice.PEER_NETWORK_LOST, 1, 10.0) is None
    assert troubles.note(Notice.PEER_QUIET, 1, 12.0) is None
    assert troubles.note(Notice.STORAGE_LOST, 0, 13.0) is None
    assert troubles.note(Notice.WRITE_SLOW, 0, 14.0) is None
    assert troubles.note(Notice.PEER_BACK, 1, 20.5) == 10.5
    assert troubles.note(Notice.STORAGE_BACK, 0, 15.0) == 2.0
    assert troubles.note(Notice.PEER_BACK, 1, 30.0) is None
