"""Rows of the API alone: server and clients are processes of their own, on loopback, the database is in memory.

The clients count bytes and parse nothing: what a client does with an answer is its own time. Beside the events stands
the floor: a server that does nothing but write the same bytes, made before, to the same clients.
"""

import json
import ssl
import statistics
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from bench.steered import Steered, running
from bench.table import Row, seconds

VMS = 5_000
WAITERS = 200
MANY_WAITERS = 2_000
RECORDS_LIMIT_S = 0.5
EVENT_LIMIT_S = 0.020
IDLE_LIMIT_MIB, FULL_LIMIT_MIB = 100, 300
ROUNDS = 9
SETTLE_S = 0.5
RATE_S = 3.0


def rows() -> Iterator[Row]:
    """Measure a server with 5,000 VMs, then one that is empty."""
    with running("bench.served", VMS) as server:
        yield from _records(server)
        yield from _getters(server)
        yield from _events(server)
    with running("bench.served", 1) as server:
        held = server.ask("memory")["mib"]
        yield Row("API resident, one VM", f"{held:.0f} MiB", "", f"{IDLE_LIMIT_MIB} MiB", held <= IDLE_LIMIT_MIB)
        yield from _many_waiting(server)


def _records(server: Steered) -> Iterator[Row]:
    for wire in ("json", "xml"):
        with running("bench.clients", server.hello["port"], 1, wire) as client:
            session = login(server)
            cold, *warm = [_answer_s(client, "VM.get_all_records", [session]) for _ in range(6)]
            size = client.tell(gather=True)["size"]
        least = f"{seconds(_floor_s(size))} floor"
        what = f"VM.get_all_records of {VMS} VMs, {wire}"
        yield Row(f"{what}, first", f"{cold * 1e3:.0f} ms", least, "500 ms", cold <= RECORDS_LIMIT_S)
        yield Row(f"… again, {size / 1e6:.0f} MB", seconds(warm), least)
    held = server.ask("memory")["mib"]
    yield Row(f"API resident, {VMS} VMs", f"{held:.0f} MiB", "", f"{FULL_LIMIT_MIB} MiB", held <= FULL_LIMIT_MIB)


def _getters(server: Steered) -> Iterator[Row]:
    session = login(server)
    (vm, *_) = call(server, "VM.get_all", session)
    for count in (1, 50):
        for wire in ("json", "xml"):
            with running("bench.clients", server.hello["port"], count, wire) as clients:
                asked = {"rate": "VM.get_name_label", "params": [session, vm], "seconds": RATE_S}
                before_s = server.ask("memory")["cpu_s"]
                rate = clients.tell(**asked)["per_second"]
                each = (server.ask("memory")["cpu_s"] - before_s) / (rate * RATE_S)
            plural = "s" if count > 1 else ""
            measured = f"{rate:.0f}, {each * 1e6:.0f} µs of a processor each"
            yield Row(f"getters per second, {count} connection{plural}, {wire}", measured)


def _events(server: Steered) -> Iterator[Row]:
    for wire in ("json", "xml"):
        latencies, size, _ = latencies_of(server, WAITERS, wire)
        with running("bench.floor", size) as floor:
            least, _, _ = latencies_of(floor, WAITERS, wire, is_floor=True)
        is_held = statistics.median(latencies) <= EVENT_LIMIT_S
        what = f"event to {WAITERS} waiting clients, {wire}"
        yield Row(what, seconds(latencies), f"{seconds(least)} floor", "20 ms median", is_held)


def _many_waiting(server: Steered) -> Iterator[Row]:
    before = server.ask("memory")["mib"]
    latencies, _, held = latencies_of(server, MANY_WAITERS, "json")
    each = (held - before) * 1024 / MANY_WAITERS
    yield Row(f"event to {MANY_WAITERS} waiting clients", seconds(latencies))
    yield Row("memory for each of them", f"{each:.0f} KiB")


def latencies_of(
    server: Steered, count: int, wire: str, *, is_floor: bool = False, rounds: int = ROUNDS
) -> tuple[list[float], int, float]:
    """From just before a change to each waiting client's whole answer; an answer's size; memory while they wait."""
    latencies: list[float] = []
    session = "" if is_floor else login(server)
    token = "" if is_floor else call(server, "event.from", session, ["vm"], "", 0.0)["token"]
    size, held = 0, 0.0
    with running("bench.clients", server.hello["port"], count, wire) as clients:
        for _ in range(rounds):
            clients.tell(send="event.from", params=[session, ["vm"], token, 60.0])
            time.sleep(SETTLE_S + count / 1000)
            held = 0.0 if is_floor else server.ask("memory")["mib"]
            changed_s = server.ask("touch")["at_s"]
            answered = clients.tell(gather=True)
            latencies += [at_s - changed_s for at_s in answered["answered_s"]]
            size, token = answered["size"], answered["token"]
    return latencies, size, held


def _answer_s(client: Steered, method: str, params: list[Any]) -> float:
    began = time.monotonic()
    client.tell(send=method, params=params)
    (at_s,) = client.tell(gather=True)["answered_s"]
    return float(at_s) - began


def _floor_s(size: int) -> list[float]:
    """How long the same bytes take from a server that has them ready."""
    with running("bench.floor", size) as floor:
        return latencies_of(floor, 1, "json", is_floor=True)[0]


def login(server: Steered) -> str:
    """A session of the server's."""
    return str(call(server, "session.login_with_password", "root", "x"))


def call(server: Steered, method: str, *params: Any) -> Any:
    """What a call over a connection of its own answers."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    url = f"https://127.0.0.1:{server.hello['port']}/jsonrpc"
    with urllib.request.urlopen(urllib.request.Request(url, body), context=context, timeout=60) as answer:
        return json.loads(answer.read())["result"]
