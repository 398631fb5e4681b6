"""A pool of all hosts of a lab with high availability and a protected guest on each, as tests ask for it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import XenAPI
from tests.lab.ha_witness import Witness
from tests.lab.moving_guest import make_moving
from tests.lab.pool_faults import ASK
from tests.lab.pool_room import done
from tests.lab.test_pool_verdicts import tell

from cardume.lab import container
from cardume.lab.api import UNREACHABLE, MemberOfPool, find_vm_address, session
from cardume.lab.errors import LabError
from cardume.lab.handle import LabHandle
from cardume.lab.layers import VENV
from cardume.lab.layout import Network
from cardume.lab.programs import wait_until

WHOLE_S = 300.0
UP_S = 180.0
CALL_S = 20.0
GONE = (MemberOfPool, XenAPI.Failure, LabError, *UNREACHABLE)


@dataclass
class HaRoom:
    """The pool, from outside: `guests` are the addresses of the protected ones, by uuid."""

    lab: LabHandle
    guests: dict[str, str] = field(default_factory=dict)

    def protect(self, names: dict[str, str], sr: str, failures: int = 1) -> None:
        """Switch HA on, with a protected guest of each name on the host that it is given."""
        master = self.master()
        with session(self.lab.address(master)) as api:
            for name, host in names.items():
                vm = make_moving(self.lab, api, sr, name)
                (there,) = api.host.get_by_name_label(host)
                if api.VM.get_resident_on(vm) != there:
                    api.VM.hard_shutdown(vm)
                    api.VM.start_on(vm, there, False, False)
            done(self.lab, master, "pool-ha-enable", f"heartbeat-sr-uuids={sr}", "ha-config:profile=lab")
            for name in names:
                uuid = done(self.lab, master, "vm-list", f"name-label={name}", "--minimal")
                done(self.lab, master, "vm-param-set", f"uuid={uuid}", "ha-restart-priority=restart")
                wait_until(f"the address of {name}", lambda name=name: find_vm_address(api, name) is not None, UP_S)  # type: ignore[misc]
                self.guests[uuid] = str(find_vm_address(api, name))
        self.tolerate(failures)

    def witness(self) -> Witness:
        return Witness(self.lab, self.guests)

    def master(self) -> str:
        """The host that is the master by its own word; waits until there is one."""
        found: list[str] = []

        def look() -> bool:
            for host in self.lab.hosts:
                with suppress(*GONE), session(self.lab.address(host), 5) as api:
                    (pool,) = api.pool.get_all_records().values()
                    if api.host.get_name_label(pool["master"]) == host:
                        found[:] = [host]
                        return True
            return False

        wait_until("a master", look, WHOLE_S, every_s=0.5)
        return found[0]

    def member(self) -> str:
        """The first host that is not the master."""
        master = self.master()
        return next(host for host in self.lab.hosts if host != master)

    @property
    def guest(self) -> str:
        """The uuid of the only protected guest."""
        (uuid,) = self.guests
        return uuid

    def move(self, host: str) -> None:
        """Let the only guest run on that host, started anew there: how it moves while it runs is not the subject."""
        with session(self.lab.address(self.master())) as api:
            vm = api.VM.get_by_uuid(self.guest)
            (there,) = api.host.get_by_name_label(host)
            if api.VM.get_resident_on(vm) != there:
                api.VM.hard_shutdown(vm)
                api.VM.start_on(vm, there, False, False)

    def tolerate(self, failures: int) -> None:
        """Say how many lost hosts are to be made up for."""
        master = self.master()
        pool = done(self.lab, master, "pool-list", "--minimal")
        done(self.lab, master, "pool-param-set", f"uuid={pool}", f"ha-host-failures-to-tolerate={failures}")

    def alerts(self) -> list[str]:
        """The names of the pool's alerts."""
        with session(self.lab.address(self.master())) as api:
            return [str(message["name"]) for message in api.message.get_all_records().values()]

    def lives(self) -> dict[str, int | None]:
        """Which life each host has: the first process of its boot, None while it has no power."""
        running = {box.name: container.find(self.lab.lab, box) for box in self.lab.lab.hosts}
        return {name: one.leader if one else None for name, one in running.items()}

    def had(self, host: str) -> dict[str, Any]:
        """What the HA daemon of a host tells of itself."""
        told: dict[str, Any] = json.loads(self.lab.exec(host, "cardume-had", '{"do": "status"}', timeout_s=20))
        return told

    def leads_alone(self, host: str) -> bool:
        """Whether a host leads, by its HA daemon, and is the only member."""
        with suppress(LabError, ValueError):
            told = self.had(host)
            return told["leading"] is not None and len(told["members"]) == 1
        return False

    def voters(self, host: str) -> int:
        """How many hosts keep the pool database, by a host's map; 0 when it does not answer."""
        with suppress(LabError):
            return len(tell(self.lab, host, "voting")["voters"])
        return 0

    def wait_pair(self, *hosts: str) -> None:
        """Return when these two alone keep the pool database, and either may go on without the other."""

        def is_pair() -> bool:
            try:
                told = [tell(self.lab, host, "voting") for host in hosts]
            except LabError:
                return False
            return all(len(one["voters"]) == len(hosts) and one["has_vote"] for one in told)

        wait_until(f"{' and '.join(hosts)} are a pair", is_pair, WHOLE_S, every_s=1.0)

    @contextmanager
    def parted(self, served: str, *others: str) -> Iterator[None]:
        """None of these hosts hears another one on any network; each reaches the storage server, clients `served`."""
        hosts = (served, *others)
        routes = [
            (host, ("blackhole", f"{self.lab.address(other, Network.STORAGE)}/32"))
            for host in hosts
            for other in hosts
            if other != host
        ]
        for host, route in routes:
            self.lab.exec(host, "ip", "route", "add", *route)
        for host in others:
            self.lab.unplug(host, Network.MANAGEMENT)
        try:
            yield
        finally:
            for host in others:
                self.lab.plug(host, Network.MANAGEMENT)
            for host, route in routes:
                with suppress(LabError):  # one that was reset has none
                    self.lab.exec(host, "ip", "route", "del", *route)

    def mend(self) -> None:
        """Everything has power and its cables, and the target serves."""
        self.lab.plug("freenas")
        self.lab.start_target()
        for host in self.lab.hosts:
            self.lab.plug(host)
        self.power_on_what_is_off(*self.lab.hosts)

    def power_on_what_is_off(self, *hosts: str) -> None:
        """Have these hosts run, those too that are just ending."""
        for host in hosts:
            wait_until(f"{host} has ended or runs", lambda host=host: self.lab.status(host) != "ending", 60)  # type: ignore[misc]
            if self.lab.status(host) == "off":
                self.lab.power_on(host)

    def wait_whole(self, witness: Witness) -> float:
        """All hosts take part, and each guest runs once and answers; how long that took."""
        began = time.monotonic()
        missing: list[str] = []
        try:
            wait_until("the pool is whole", lambda: not self._note_missing(missing, witness), WHOLE_S, every_s=1.0)
        except LabError:
            raise AssertionError(f"not whole after {WHOLE_S:g} s: {missing}") from None
        return time.monotonic() - began

    def _note_missing(self, missing: list[str], witness: Witness) -> bool:
        missing[:] = [*self._missing(), *witness.missing()] or self._missing_votes()
        return bool(missing)

    def _missing(self) -> list[str]:
        """What the pool lacks to be whole, by its own word."""
        for host in self.lab.hosts:
            if self.lab.status(host) == "off":  # its watchdog has ended it while all was mended
                self.lab.power_on(host, booted=False)
        try:
            with session(self.lab.address(self.master()), CALL_S) as api:
                (pool,) = api.pool.get_all_records().values()
                lacks = [] if pool["ha_enabled"] else ["HA"]
                if int(pool["ha_plan_exists_for"]) < int(pool["ha_host_failures_to_tolerate"]):
                    lacks.append(f"a plan: there is one for {pool['ha_plan_exists_for']}")
                for record in api.host.get_all_records().values():
                    if not api.host_metrics.get_live(record["metrics"]):
                        lacks.append(f"{record['name_label']} is not live")
                    elif not record["enabled"]:
                        lacks.append(f"{record['name_label']} is not enabled")
                for pbd in api.PBD.get_all_records().values():
                    if api.SR.get_shared(pbd["SR"]) and not pbd["currently_attached"]:
                        lacks.append(f"{api.host.get_name_label(pbd['host'])} has not attached {pbd['SR']}")
                for uuid in self.guests:
                    state = api.VM.get_power_state(api.VM.get_by_uuid(uuid))
                    lacks += [] if state == "Running" else [f"{uuid} is {state}"]
                return lacks
        except GONE as reason:
            return [f"an answer of the master: {reason}"]

    def _missing_votes(self) -> list[str]:
        """Who does not keep the pool database yet: without it the next fault would be one too many."""
        hosts = self.lab.hosts
        try:
            if len(hosts) == 2:
                return [f"the vote of {host}" for host in hosts if not tell(self.lab, host, "voting")["has_vote"]]
            voters = json.loads(self.lab.exec(self.master(), f"{VENV}/bin/python", "-c", ASK, timeout_s=30))["voters"]
            return [] if len(voters) == len(hosts) else [f"voters: there are {len(voters)}"]
        except LabError as reason:
            return [f"an answer about votes: {reason}"]


@contextmanager
def whole_before_and_after(room: HaRoom) -> Iterator[Witness]:
    """Looks on; what happens within begins with everything whole, is mended, and ends with everything whole."""
    with room.witness() as witness:
        room.mend()
        room.wait_whole(witness)
        yield witness
        room.mend()
        room.wait_whole(witness)
    witness.check()
