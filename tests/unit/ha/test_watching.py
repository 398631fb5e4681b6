"""What people are told of the channels: once when it begins, once when it is over; nothing when all is well."""

from tests.unit.ha.room import Room

from cardume.ha.effects import Note, Notice


def pair() -> Room:
    room = Room(2)
    room.enable()
    room.run(5)
    return room


def told(room: Room, host: int) -> list[tuple[Notice, int | None]]:
    return [(effect.notice, effect.host) for effect in room.machines[host].said if isinstance(effect, Note)]


def test_nothing_is_told_of_a_pool_that_is_well() -> None:
    room = pair()
    room.run(60)
    assert told(room, 0) == told(room, 1) == []


def test_a_host_that_dies_is_quiet_and_nothing_else() -> None:
    for phase_s in (0.0, 0.15, 0.3, 0.45):
        room = pair()
        room.run(phase_s)
        room.power_off(1)
        room.run(5)
        assert told(room, 0) == [(Notice.PEER_QUIET, 1)]


def test_a_cut_network_is_told_and_its_end() -> None:
    room = pair()
    room.no_network = {1}
    room.run(10)
    room.no_network = set()
    room.run(2)
    assert told(room, 0) == [(Notice.PEER_NETWORK_LOST, 1), (Notice.PEER_BACK, 1)]


def test_a_lost_disk_path_is_told_by_both_sides() -> None:
    room = pair()
    room.no_disk = {1}
    room.run(10)
    room.no_disk = set()
    room.run(2)
    assert told(room, 0) == [(Notice.PEER_STORAGE_LOST, 1), (Notice.PEER_BACK, 1)]
    mine = [notice for notice, host in told(room, 1) if host == 1]
    assert mine == [Notice.WRITE_SLOW, Notice.STORAGE_LOST, Notice.STORAGE_BACK]
