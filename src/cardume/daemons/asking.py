"""What this host asks the other hosts of its pool without being their master."""

import asyncio
from typing import Any

import structlog

from cardume.channel.questions import ask_host
from cardume.daemons.config import Config
from cardume.daemons.place import Place
from cardume.daemons.pool_map import KnownHost, parse
from cardume.hostops.errors import HostError

log = structlog.get_logger()

ANSWER_S = 2.0


async def ask(config: Config, host: KnownHost, do: str, given: dict[str, Any]) -> Any:
    """A host's answer; None when there is none."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await ask_host(
                config.pool_files,
                config.host_uuid,
                host.address,
                do,
                given,
                expect=host.uuid,
                port=config.channel_port,
                timeout_s=ANSWER_S,
            )
    except (HostError, TimeoutError) as fault:
        log.debug("host_not_asked", host=host.uuid, reason=str(fault))
        return None


async def follow_better_master(config: Config, place: Place) -> bool:
    """Ask all other hosts who their master is, and follow one of higher rank; True when there is one."""
    others = [host for host in place.map.hosts if host.uuid != place.uuid]
    answers = await asyncio.gather(*(ask(config, host, "standing", {}) for host in others))
    return any(told is not None and place.follow(parse(told["map"])) for told in answers)


async def bring_to_me(config: Config, place: Place, host: KnownHost) -> bool:
    """Settle with a host that is not connected who is the master of whom; True when it follows this one.

    When it knows a master of higher rank, this host is the one that follows.
    """
    told = await ask(config, host, "standing", {})
    if told is None:
        return False
    theirs = parse(told["map"])
    if place.follow(theirs):
        return False
    if theirs.rank == place.map.rank and told["standing"] == "member":
        return True
    answer = await ask(config, host, "follow", {"map": place.map.told()})
    return answer is not None and bool(answer["followed"])
