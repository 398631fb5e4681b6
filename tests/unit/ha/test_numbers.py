"""R1 and R2 whatever happens: numbers, outstanding writes and sectors of one core under any answers."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ha.room import GENERATION

from cardume.ha import core
from cardume.ha.effects import Effect, ReadAll, ReadSlots, Remember, Send, WriteBallot, WriteSlot
from cardume.ha.events import AllRead, Area, Event, ReadFailed, SlotsRead, Start, Tick, WriteDone
from cardume.ha.profile import FAST
from cardume.ha.records import Memory, Slot
from cardume.ha.state import Config, new_state

BOOT = "00000001-0000-4000-8000-000000000000"
Answer = tuple[float, bool, bool]


class OneCore:
    """A core whose disk answers as the test says."""

    def __init__(self) -> None:
        self.state = new_state(Config(0, 1, GENERATION, FAST))
        self.now_s = 50.0
        self.numbers: list[int] = []
        self.waiting: list[Effect] = []
        self.memory: Memory | None = None
        self.slot: Slot | None = None
        self.doubted: dict[tuple[Area, int], float] = {}
        self.step(Start(self.now_s, BOOT))

    def step(self, event: Event) -> None:
        self.state, effects = core.step(self.state, event)
        for effect in effects:
            match effect:
                case WriteSlot() | WriteBallot():
                    area = Area.SLOT if isinstance(effect, WriteSlot) else Area.BALLOT
                    self._check_sector(effect, area)
                    self.numbers.append(effect.number)
                    self.waiting.append(effect)
                case ReadSlots() | ReadAll():
                    self.waiting.append(effect)
                case Send():
                    self.numbers.append(effect.datagram.number)
                case Remember():
                    self.memory = effect.memory
                case _:
                    pass
        assert self.numbers == sorted(set(self.numbers)), "a number was used twice, or went back"
        assert not self.numbers or self.numbers[-1] <= self.now_s * 1e6 + len(self.numbers)

    def _check_sector(self, effect: WriteSlot | WriteBallot, area: Area) -> None:
        kind = type(effect)
        assert not any(isinstance(other, kind) for other in self.waiting), "two writes of one area at once"
        sector = effect.slot.sector if isinstance(effect, WriteSlot) else effect.block.sector
        assert self.doubted.get((area, sector), -1e9) + 300 <= self.now_s, "written where a write may land late"

    def answer(self, took_s: float, ok: bool) -> None:
        if not self.waiting:
            return
        effect = self.waiting.pop(0)
        match effect:
            case WriteSlot() | WriteBallot():
                area = Area.SLOT if isinstance(effect, WriteSlot) else Area.BALLOT
                if isinstance(effect, WriteSlot) and ok:
                    self.slot = effect.slot
                if not ok or took_s > FAST.gap_s:
                    sector = effect.slot.sector if isinstance(effect, WriteSlot) else effect.block.sector
                    self.doubted[area, sector] = self.now_s
                self.step(WriteDone(self.now_s, area, effect.number, self.now_s - took_s, self.now_s, ok))
            case ReadSlots() | ReadAll() if not ok:
                self.step(ReadFailed(self.now_s, effect.number))
            case ReadSlots():
                self.step(SlotsRead(self.now_s, effect.number, self.now_s, self.now_s, (self.slot,)))
            case ReadAll():
                self.step(AllRead(self.now_s, effect.number, self.now_s, self.now_s, (self.slot,), (None,)))

    def restart(self) -> None:
        self.waiting.clear()  # the shell waits for what was under way, or knows that it failed
        self.now_s += 0.01  # a process does not begin in no time
        self.state = new_state(self.state.config)
        self.step(Start(self.now_s, BOOT, memory=self.memory))


answers = st.tuples(
    st.sampled_from([0.0, 0.01, 0.3, 1.0, 4.0]), st.sampled_from([True, True, True, False]), st.integers(0, 30)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(answers, max_size=80))
def test_numbers_only_grow_and_no_doubtful_sector_is_written(story: list[tuple[float, bool, int]]) -> None:
    one = OneCore()
    for took_s, ok, chance in story:
        one.now_s += took_s
        one.step(Tick(one.now_s))
        one.answer(took_s, ok)
        if chance == 0 and one.memory:
            one.restart()
