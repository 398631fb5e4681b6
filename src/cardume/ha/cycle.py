"""The cycle (R3): write the own slot, read all slots, and only then believe anything."""

from dataclasses import replace

from cardume.ha import evidence, learning, lives, sectors, silence
from cardume.ha.effects import Notice, ReadSlots, WriteSlot
from cardume.ha.events import Area, SlotsRead, WriteDone
from cardume.ha.records import Slot
from cardume.ha.state import Cycle, Phase, Step
from cardume.ha.turn import TAKES_PART, Turn

_TWIN_S = 2.0
"""For so long the disk may show less than the others say they wrote before it counts as another one."""


def drive(turn: Turn) -> None:
    """Begin a cycle when it is time; give up one whose answer never came."""
    s = turn.s
    if s.cycle.step is not Step.IDLE:
        if turn.now_s <= s.cycle.began_s + turn.profile.io_timeout_s + 1:
            return
        if s.cycle.step is Step.WRITING:
            doubt(turn, Area.SLOT)
        _failed(turn)
    lingers = s.phase is Phase.OFF and turn.now_s < s.linger_s and s.published < s.epoch.number
    if (s.phase in TAKES_PART or lingers) and turn.now_s >= s.next_cycle_s:
        _begin(turn)


def _begin(turn: Turn) -> None:
    s = turn.s
    s.next_cycle_s = turn.now_s + turn.profile.cycle_s
    if s.probe:
        s.cycle = Cycle(Step.PROBING, turn.number(), turn.now_s)
        turn.emit(ReadSlots(s.cycle.number))
    else:
        _write(turn)


def _failed(turn: Turn) -> None:
    turn.s.cycle = Cycle()
    turn.s.probe = True


def _write(turn: Turn) -> None:
    s = turn.s
    sector = sectors.choose(s.doubts[Area.SLOT], s.sectors[Area.SLOT], turn.now_s)
    if sector is None:
        return
    s.sectors = (sector, s.sectors[Area.BALLOT])
    number = turn.number()
    s.cycle = Cycle(Step.WRITING, number, turn.now_s, s.epoch.number, s.life, s.ended, s.aside)
    turn.emit(WriteSlot(number, _slot(turn, number, sector)))


def _slot(turn: Turn, number: int, sector: int) -> Slot:
    s = turn.s
    ages = tuple(_age(turn.now_s - peer.since_s) if peer.number else 255 for peer in s.peers)
    return Slot(
        generation=s.config.generation,
        host=turn.me,
        boot_id=s.boot_id,
        life=s.life,
        number=number,
        state=turn.slot_state(),
        epoch=s.epoch,
        sector=sector,
        doubtful=sectors.bits(s.doubts[Area.SLOT], turn.now_s),
        storage_ok=s.twin_s is None,
        uplinks_down=s.uplinks_down,
        ages=ages,
        aside=s.aside,
    )


def _age(age_s: float) -> int:
    return max(0, min(255, int(age_s * 4)))


def doubt(turn: Turn, area: Area) -> None:
    """A write to the sector in use failed, was slow, or has not ended: leave it alone, it may land late (R2)."""
    s = turn.s
    until_s = turn.now_s + sectors.LEFT_ALONE_S
    turn.set_doubts(area, sectors.doubted(s.doubts[area], (s.sectors[area],), until_s))
    turn.note(Notice.WRITE_SLOW, turn.me, area.name.lower())


def write_done(turn: Turn, event: WriteDone) -> None:
    """The own slot was written, or was not."""
    s = turn.s
    if s.cycle.step is not Step.WRITING or event.number != s.cycle.number:
        return
    if event.lands_late and (not event.ok or event.ended_s - event.began_s > turn.profile.gap_s):
        doubt(turn, Area.SLOT)
    if not event.ok:
        _failed(turn)
        return
    learning.published(turn, s.cycle.epoch)
    s.ended_written = s.ended and s.cycle.ended and s.cycle.life == s.life
    if s.cycle.aside == s.aside:
        s.aside_written = s.aside
    s.cycle = replace(s.cycle, step=Step.READING, began_s=turn.now_s)
    turn.emit(ReadSlots(event.number))


def read_failed(turn: Turn, number: int) -> None:
    """The read of a cycle, or the one that tries the path, failed."""
    if turn.s.cycle.step in (Step.READING, Step.PROBING) and turn.s.cycle.number == number:
        _failed(turn)


def slots_read(turn: Turn, event: SlotsRead) -> None:
    """All slots were read after the own write: learn, observe, and count it as evidence."""
    s = turn.s
    if s.cycle.step not in (Step.READING, Step.PROBING) or event.number != s.cycle.number:
        return
    done = s.cycle
    s.cycle = Cycle()
    take_slots(turn, event.slots, event.began_s)
    if done.step is Step.PROBING:
        s.probe = False
        s.next_cycle_s = turn.now_s
        return
    own = event.slots[turn.me]
    if own is None or (own.life, own.number) < (done.life, done.number):
        return  # what was written is not there: this cycle proves nothing
    if own.life > s.life or (own.life == s.life and (own.boot_id != s.boot_id or own.number > turn.newest_number())):
        lives.alien(turn, own.life)
        return
    if done.life != s.life:
        return
    _complete(turn, done, event)


def take_slots(turn: Turn, slots: tuple[Slot | None, ...], began_s: float) -> None:
    """Observe the others, and adopt the newest epoch that anybody's slot carries."""
    newest = turn.s.epoch
    for host, slot in enumerate(slots):
        if slot is None:
            continue
        if host != turn.me:
            silence.observe_slot(turn, host, slot, began_s)
        if slot.epoch.number > newest.number:
            newest = slot.epoch
    learning.adopt(turn, newest)


def _complete(turn: Turn, done: Cycle, event: SlotsRead) -> None:
    s = turn.s
    if turn.now_s - s.complete_s > turn.profile.gap_s:
        silence.restart(turn)
    s.complete_s = turn.now_s
    s.written = done.number
    _compare_claims(turn, event)
    if s.twin_s is None or turn.now_s - s.twin_s <= _TWIN_S:
        evidence.from_cycle(turn, done.number)
    turn.read_began_s = event.began_s
    _hurry(turn)


def _compare_claims(turn: Turn, event: SlotsRead) -> None:
    """A host said that a slot is on its disk; a read begun later does not show it: these are two disks."""
    s = turn.s
    behind = any(
        (slot := event.slots[host]) is not None
        and slot.life == peer.life
        and slot.number < peer.claimed
        and peer.claimed_s < event.began_s
        for host, peer in turn.others()
    )
    if not behind:
        s.twin_s = None
    elif s.twin_s is None:
        s.twin_s = turn.now_s
        turn.note(Notice.STORAGE_TWIN)


def _hurry(turn: Turn) -> None:
    """Let the next cycle's read begin just when a member's silence is long enough."""
    s = turn.s
    due = [peer.since_s + turn.profile.silence_s for host, peer in turn.others() if host in s.epoch.live]
    soon = [due_s for due_s in due if turn.now_s < due_s < s.next_cycle_s]
    if soon:
        s.next_cycle_s = min(soon)
