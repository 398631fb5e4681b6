"""Programs of this benchmark that run beside it, each steered by lines."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Steered:
    """A program that answers every line on its input with a JSON object on its output."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.hello = self._answer()

    def ask(self, line: str) -> dict[str, Any]:
        """What the program answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def tell(self, **asked: Any) -> dict[str, Any]:
        """What the program answers to a line of JSON."""
        return self.ask(json.dumps(asked))

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.startswith("{"):  # the rest is the server's log
                return dict(json.loads(line))
        raise RuntimeError("a program of the benchmark ended early")


@contextmanager
def running(module: str, *words: object) -> Iterator[Steered]:
    """Run `python -m module words…` as long as the block lasts."""
    command = [sys.executable, "-m", module, *map(str, words)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield Steered(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
