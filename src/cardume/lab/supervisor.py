"""The lab's supervisor: one process that owns the boxes' power and cables, asked over a Unix socket.

The boxes outlive it; the next one adopts them.
"""

import json
import os
import signal
import socketserver
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

from cardume.lab import network
from cardume.lab.control import code_version
from cardume.lab.errors import LabError
from cardume.lab.layout import Lab, Network, get_lab, write_whole
from cardume.lab.power import PoweredBox

VERSION = code_version()
"""Taken when the supervisor starts: a later `lab up` sees that it runs older code."""


class Supervisor:
    """Answers what commands ask about a lab's boxes."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.boxes: dict[str, PoweredBox] = {}
        self._lock = threading.Lock()
        self.stopped = threading.Event()

    def box(self, name: str) -> PoweredBox:
        """The box of that name; the lab may have grown since the supervisor started."""
        with self._lock:
            if name not in self.boxes:
                self.lab = get_lab(self.lab.name)
                self.boxes[name] = PoweredBox(self.lab, self.lab.get_box(name), log)
                self.boxes[name].adopt()
            return self.boxes[name]

    def answer(self, question: Mapping[str, Any]) -> Any:
        """Do what is asked; the answer is JSON."""
        match question:
            case {"do": "status"}:
                self.lab = get_lab(self.lab.name)
                return [self.box(box.name).status() for box in self.lab.boxes]
            case {"do": "power-on", "box": name, "layers": layers}:
                return self.box(name).power_on(layers)
            case {"do": "power-off", "box": name, "leader": leader}:
                return self.box(name).power_off(leader)
            case {"do": "plug", "box": name, "networks": networks}:
                return self.box(name).plug([Network(one) for one in networks])
            case {"do": "unplug", "box": name, "networks": networks}:
                return self.box(name).pull([Network(one) for one in networks])
            case {"do": "version"}:
                return VERSION
            case {"do": "stop"}:
                return self.stopped.set()
        raise LabError(f"the supervisor does not know how to do {question.get('do')!r}")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        path = supervisor.lab.socket
        path.unlink(missing_ok=True)
        before = os.umask(0o077)
        super().__init__(str(path), _Handler)
        os.umask(before)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            answer: dict[str, Any] = {"answer": self.server.supervisor.answer(json.loads(self.rfile.readline()))}
        except LabError as error:
            answer = {"refused": str(error)}
        except Exception as error:  # the edge of the task: the supervisor stays, the asker is told
            log(traceback.format_exc())
            answer = {"refused": f"the supervisor failed: {error!r}"}
        try:
            self.wfile.write(json.dumps(answer).encode() + b"\n")
        except BrokenPipeError:
            log("the asker did not wait for the answer")


def log(text: str) -> None:
    """A line in the supervisor's log."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)


def serve(name: str) -> None:
    """Serve a lab until told to stop."""
    lab = get_lab(name)
    supervisor = Supervisor(lab)
    network.build_network(lab)
    for box in lab.boxes:
        supervisor.box(box.name)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stopped.set())
    with _Server(supervisor) as server:
        write_whole(lab.directory / "supervisor.pid", f"{os.getpid()}\n")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
        log(f"serving the lab {name}")
        supervisor.stopped.wait()
        server.shutdown()


if __name__ == "__main__":
    serve(sys.argv[1])
