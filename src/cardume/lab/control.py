"""How commands reach a lab's supervisor, and how it is started when it is not there."""

import json
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cardume.lab import container
from cardume.lab.cache import key_of_files
from cardume.lab.errors import LabError
from cardume.lab.layout import Box, Lab, Network
from cardume.lab.programs import wait_until

ANSWER_TIMEOUT_S = 120.0


class NoSupervisor(LabError):
    """Nobody answers for the lab."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(
            f"the supervisor of the lab {lab.name} is not running; `cardume lab up --name {lab.name}` restores it"
        )


def ask(lab: Lab, do: str, **details: Any) -> Any:
    """The supervisor's answer; LabError with its refusal."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_TIMEOUT_S)
        try:
            connection.connect(str(lab.socket))
            connection.sendall(json.dumps({"do": do, **details}).encode() + b"\n")
            line = connection.makefile("r").readline()
        except (FileNotFoundError, ConnectionError):
            raise NoSupervisor(lab) from None
        except TimeoutError:
            raise LabError(f"the supervisor of {lab.name} did not answer within {ANSWER_TIMEOUT_S:g} s") from None
    if not line:
        raise NoSupervisor(lab)
    answer = json.loads(line)
    if "refused" in answer:
        raise LabError(answer["refused"])
    return answer["answer"]


def list_status(lab: Lab) -> Sequence[Mapping[str, Any]]:
    """The state of every box."""
    status: Sequence[Mapping[str, Any]] = ask(lab, "status")
    return status


def get_leader(lab: Lab, box: Box) -> int:
    """The first process of a box; LabError when it has no power. Works without the supervisor."""
    running = container.find(lab, box)
    if running is None:
        raise LabError(f"{box.name} has no power; `cardume lab power-on {box.name}` gives it")
    return running.leader


def power_on(lab: Lab, box: Box, layers: Sequence[Path] = ()) -> None:
    """Give a box power; `layers` make it, or renew its image, if it is off."""
    ask(lab, "power-on", box=box.name, layers=[str(layer) for layer in layers])


def power_off(lab: Lab, box: Box, leader: int | None = None) -> float:
    """Cut a box's power, of the boot with that first process if one is named; the time when it was gone."""
    return float(ask(lab, "power-off", box=box.name, leader=leader))


def plug(lab: Lab, box: Box, networks: Collection[Network]) -> None:
    ask(lab, "plug", box=box.name, networks=[one.value for one in networks])


def unplug(lab: Lab, box: Box, networks: Collection[Network]) -> None:
    ask(lab, "unplug", box=box.name, networks=[one.value for one in networks])


def ensure_supervisor(lab: Lab) -> None:
    """Start the supervisor unless it answers; one that runs older code is replaced, the boxes go on."""
    with suppress(NoSupervisor):
        if ask(lab, "version") == code_version():
            return
        stop_supervisor(lab)
    python, env = container.python_command("cardume.lab.supervisor", lab.name)
    child = container.begin_service(f"cardume-{lab.name}-supervisor", python, env, lab.directory / "supervisor.log")

    def answers() -> bool:
        if child.poll() not in (None, 0):
            raise LabError(f"the supervisor did not start: see {lab.directory / 'supervisor.log'}")
        with suppress(NoSupervisor):
            ask(lab, "version")
            return True
        return False

    wait_until("the start of the supervisor", answers, timeout_s=60)


def code_version() -> str:
    """A name of the lab's code as it is on disk now."""
    here = Path(__file__).parent
    return key_of_files(here, list(here.glob("*.py")))


def stop_supervisor(lab: Lab) -> None:
    """End the supervisor, whatever state it is in; the boxes go on."""
    with suppress(LabError):
        ask(lab, "stop")
    pid = container.find_module("cardume.lab.supervisor", lab.directory / "supervisor.pid", lab.name)
    deadline = time.monotonic() + 5.0
    while pid is not None and container.is_alive(pid):
        if time.monotonic() > deadline:
            container.end_process(pid)
        time.sleep(0.05)
