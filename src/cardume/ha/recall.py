"""What a core leaves in /run for the next one of the same boot, and how that goes on with it (R17)."""

from cardume.ha import learning, sectors
from cardume.ha.events import Area
from cardume.ha.records import Memory
from cardume.ha.state import Device, Phase
from cardume.ha.turn import Turn


def recall(turn: Turn, memory: Memory) -> None:
    """Take up the life that the core before this one had, if it had one."""
    s = turn.s
    s.life = max(s.life, memory.life)
    learning.adopt(turn, memory.epoch)
    s.follows = memory.follows
    for area in Area:
        doubts = memory.doubts[area] or s.doubts[area]
        turn.set_doubts(area, sectors.doubted(doubts, (memory.in_use[area],), turn.now_s + turn.profile.silence_s))
    if memory.ended or memory.evidence_s is None:
        return
    s.guests = s.guests or memory.guests
    s.leading = memory.leading
    s.evidence_s = memory.evidence_s
    s.phase = Phase.MEMBER if memory.epoch.lists(turn.me, memory.life) else Phase.CANDIDATE
    s.give_up_s = turn.now_s + 2 * turn.profile.ready_s if memory.epoch.number == 0 else None
    s.next_cycle_s = s.next_send_s = turn.now_s


def memory(turn: Turn) -> Memory:
    """What the next core of this boot has to know."""
    s = turn.s
    return Memory(
        generation=s.config.generation,
        boot_id=s.boot_id,
        life=s.life,
        epoch=s.epoch,
        evidence_s=s.evidence_s if s.phase in (Phase.CANDIDATE, Phase.MEMBER, Phase.LEAVING) else None,
        guests=s.guests,
        ended=s.ended,
        armed=s.device is Device.ARMED,
        frozen=s.frozen,
        leading=s.leading,
        doubts=s.doubts,
        in_use=s.sectors,
        follows=s.follows,
    )


def remembers(turn: Turn) -> Memory | None:
    """The memory to be written; None when /run has it already."""
    now = memory(turn)
    if turn.s.phase is Phase.DOOMED or now == turn.s.remembered or not turn.s.boot_id:
        return None
    turn.s.remembered = now
    return now
