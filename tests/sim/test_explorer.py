"""The shipped core under schedules of faults from seeds: rules that must never break do not, and the pool comes back.

CARDUME_SIM_SCHEDULES says how many schedules (ten thousand; `make sim-long`: a million), CARDUME_SIM_SEED where the
seeds begin. A schedule that breaks a rule is printed with its seed, as short as it can be made.
"""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest

from cardume.sim import schedule
from cardume.sim.guests import Violation
from cardume.sim.schedule import Schedule

SCHEDULES = int(os.environ.get("CARDUME_SIM_SCHEDULES", "10000"))
FIRST = int(os.environ.get("CARDUME_SIM_SEED", "0"))
SINGLE_CHANNEL = max(100, SCHEDULES // 50)
CHUNK = 50
MOST_SHOWN = 3

Found = list[tuple[Schedule, str]]

pytestmark = pytest.mark.timeout(0 if SCHEDULES > 20_000 else 1800)


def test_no_schedule_breaks_a_rule_and_every_pool_comes_back() -> None:
    broken = _explore(_broken_of, FIRST, SCHEDULES)
    shown = [f"{said}\n{schedule.shrink(found, schedule.is_broken)}" for found, said in broken[:MOST_SHOWN]]
    assert not broken, f"{len(broken)} of {SCHEDULES} schedules:\n" + "\n\n".join(shown)


def test_nobody_is_reset_when_one_channel_at_a_time_fails() -> None:
    broken = _explore(_reset_of, FIRST, SINGLE_CHANNEL)
    shown = [f"{said}\n{found}" for found, said in broken[:MOST_SHOWN]]
    assert not broken, f"{len(broken)} of {SINGLE_CHANNEL} schedules:\n" + "\n\n".join(shown)


def test_the_same_seed_is_the_same_schedule_to_the_last_effect() -> None:
    logs = []
    for _ in range(2):
        world = schedule.play(schedule.make(4), keeps_log=True)
        logs.append(world.log)
    assert logs[0] == logs[1]
    assert len(logs[0]) > 100


def _explore(look: Callable[[range], Found], first: int, count: int) -> Found:
    chunks = [range(start, min(start + CHUNK, first + count)) for start in range(first, first + count, CHUNK)]
    spawn = multiprocessing.get_context("spawn")  # a fork would take the threads of other tests with it
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        return [found for part in pool.map(look, chunks) for found in part]


def _broken_of(seeds: range) -> Found:
    found: Found = []
    for seed in seeds:
        made = schedule.make(seed)
        try:
            schedule.play(made)
        except Violation as said:
            found.append((made, str(said)))
    return found


def _reset_of(seeds: range) -> Found:
    found: Found = []
    for seed in seeds:
        made = schedule.single_channel(seed)
        try:
            world = schedule.play(made)
        except Violation as said:
            found.append((made, str(said)))
        else:
            if world.resets:
                found.append((made, f"resets: {world.resets}"))
    return found
