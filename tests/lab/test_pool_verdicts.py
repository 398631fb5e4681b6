"""Needs a lab. Proves that of two hosts with two voters either goes on alone after a verdict, and loses nothing.

What high availability will say is said by hand: the hosts' own programs may tell cardumed a verdict.
"""

import json
import time
from typing import Any

import pytest
from tests.lab.pool_faults import Scribe
from tests.lab.pool_room import hand_over, is_live, standing, wait_live
from tests.lab.storage_room import MASTER, MEMBER

from cardume.lab.api import session
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.layers import VENV
from cardume.lab.layout import Network
from cardume.lab.programs import wait_until

TELL = """
import asyncio, json, sys
from cardume.channel.questions import ask_host
from cardume.daemons.config import load

async def main(do, given):
    config = load()
    told = await ask_host(
        config.pool_files, config.host_uuid, "127.0.0.1", do, json.loads(given), timeout_s=40, port=config.channel_port
    )
    print(json.dumps(told))

asyncio.run(main(*sys.argv[1:]))
"""
BACK_S = 240.0


def tell(lab: LabHandle, host: str, do: str, **given: Any) -> Any:
    """What a host's cardumed answers to the host's own programs."""
    return json.loads(lab.exec(host, f"{VENV}/bin/python", "-c", TELL, do, json.dumps(given)))


def uuid_of(lab: LabHandle, host: str) -> str:
    (line,) = (line for line in lab.path(host, "/etc/cardume/cardume.toml").read_text().splitlines() if "uuid" in line)
    return line.split('"')[1]


def verdict(lab: LabHandle, host: str, epoch: int, living: list[str], aside: tuple[str, ...] = ()) -> str:
    """What a host does when it is told that it leads, and who lives."""
    hosts = {"living": [uuid_of(lab, one) for one in living], "aside": [uuid_of(lab, one) for one in aside]}
    return str(tell(lab, host, "verdict", epoch=epoch, master=uuid_of(lab, host), **hosts))


def wait_vote(lab: LabHandle, host: str) -> None:
    """Return when a host is one of two voters again, and knows that it has everything."""

    def has_vote() -> bool:
        try:
            told = tell(lab, host, "voting")
            return bool(told["has_vote"]) and len(told["voters"]) == 2
        except LabError:
            return False  # it boots, or begins anew

    wait_until(f"{host} votes", has_vote, BACK_S, every_s=0.5)


def votes(lab: LabHandle, host: str) -> tuple[list[str], bool]:
    """Who the voters are as a host knows it, and whether it has a vote itself."""
    told = tell(lab, host, "voting")
    return told["voters"], told["has_vote"]


def test_either_of_two_hosts_goes_on_alone_after_a_verdict_and_the_other_comes_back(lun_pool: LabHandle) -> None:
    lab = lun_pool
    wait_live(lab, MASTER, MEMBER)
    daemon = lab.exec(MASTER, "systemctl", "show", "--property=MainPID", "cardumed")
    hand_over(lab, MASTER, MEMBER)
    first = int(tell(lab, MEMBER, "voting")["map"]["generation"])
    tell(lab, MEMBER, "to_two_voters")
    for host in (MASTER, MEMBER):
        wait_vote(lab, host)

    # The master's power goes, under a writer: the member becomes the master, with everything.
    with Scribe(lab, "verdict") as scribe:
        scribe.until_acknowledged(20)
        lab.power_off(MEMBER)
        began = time.monotonic()
        assert verdict(lab, MASTER, first + 10, [MASTER]) == "alone"
        wait_until("the new master answers", lambda: standing(lab, MASTER) == "master", BACK_S, every_s=0.05)
        took_s = time.monotonic() - began
        scribe.until_acknowledged(20)
    lab.power_on(MEMBER)
    wait_vote(lab, MEMBER)
    with session(lab.address(MASTER)) as api:
        scribe.check(api)
        wait_until(
            "all repositories attached",
            lambda: all(pbd["currently_attached"] for pbd in api.PBD.get_all_records().values()),
            BACK_S,
            every_s=0.5,
        )

        # The network between them is cut, and both live: the member steps aside, the master's sessions go on.
        lab.unplug(MEMBER, Network.MANAGEMENT)
        tell(lab, MEMBER, "step_aside")
        assert verdict(lab, MASTER, first + 11, [MASTER, MEMBER], aside=(MEMBER,)) == "alone"
        made = api.VM_appliance.create({"name_label": "made alone", "name_description": ""})
        assert tell(lab, MEMBER, "voting")["has_vote"] is False
        with pytest.raises(LabError, match="lack acknowledged changes"):
            verdict(lab, MEMBER, first + 12, [MEMBER])
        lab.plug(MEMBER, Network.MANAGEMENT)
        wait_vote(lab, MEMBER)
        assert api.VM_appliance.get_name_label(made) == "made alone"
        for appliance in api.VM_appliance.get_all():
            api.VM_appliance.destroy(appliance)

    generation = int(tell(lab, MEMBER, "voting")["map"]["generation"])
    tell(lab, MASTER, "to_one_voter")
    wait_until("one voter", lambda: votes(lab, MEMBER) == ([uuid_of(lab, MASTER)], False), BACK_S, every_s=0.5)
    assert generation == first + 11
    assert lab.exec(MASTER, "systemctl", "show", "--property=MainPID", "cardumed") == daemon  # no restart
    print(f"verdict to the new master's API {took_s:.2f} s; {len(scribe.acknowledged)} acknowledged")


@pytest.mark.soak
def test_the_last_voter_waits_for_nobody_when_all_lose_their_power_at_once(lun_pool: LabHandle) -> None:
    """etcd may have on its disk that the other one is to go, and not yet that this is decided."""
    lab = lun_pool
    tell(lab, MASTER, "to_two_voters")
    tell(lab, MASTER, "to_one_voter")
    for host in lab.hosts:
        lab.power_off(host)
    for host in lab.hosts:
        lab.power_on(host)
    wait_until("the master answers", lambda: standing(lab, MASTER) == "master", BACK_S, every_s=0.5)
    wait_until("the member is back", lambda: is_live(lab, MASTER, MEMBER) is True, BACK_S, every_s=0.5)
