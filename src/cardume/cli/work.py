"""Long work: asked for as a task, watched until it ends, cancelled by Ctrl-C."""

import re
import time
from typing import Any
from xml.sax.saxutils import unescape

from cardume.cli.command import Call
from cardume.cli.failures import Refused
from cardume.cli.terminal import Meter

FIRST_LOOK_S, LONGEST_PAUSE_S = 0.02, 1.0
CANCEL_TIMEOUT_S = 60.0
_VALUE = re.compile(r"<value>(?:<string>)?([^<]*)(?:</string>)?</value>")


def work(call: Call, method: str, *params: Any) -> str:
    """Do a message as a task and wait for its end; the text of its result.

    Refused with the task's error. Ctrl-C asks for the task to be cancelled and waits for what comes of it.
    """
    return watch(call, call.get(f"Async.{method}", *params), method)


def watch(call: Call, task: str, label: str) -> str:
    """Wait for the end of a task and forget it; the text of its result."""
    with call.terminal.meter(label, wanted=call.params.flag("progress")) as meter:
        return watch_on(call, task, meter)


def watch_on(call: Call, task: str, meter: Meter) -> str:
    """The same, on a meter that is there."""
    try:
        record = _watch(call, task, meter)
    finally:
        _forget(call, task)
    return _result(record, task)


def cancel(call: Call, task: str) -> None:
    """Ask for a task to be cancelled, as far as it can be."""
    try:
        call.server.call("task.cancel", task)
    except Refused:
        pass  # it has ended, or goes on to its end


def _watch(call: Call, task: str, meter: Any) -> dict[str, Any]:
    try:
        return _until_done(call, task, meter)
    except KeyboardInterrupt:
        call.terminal.err.write("\nCancelling; press Ctrl-C again to leave the work going.\n")
        try:
            call.server.call("task.cancel", task)
        except Refused as refused:
            call.terminal.err.write(f"It cannot be cancelled ({refused.code}); waiting for its end.\n")
            return _until_done(call, task, meter)
        return _until_done(call, task, meter, CANCEL_TIMEOUT_S)


def _until_done(call: Call, task: str, meter: Any, timeout_s: float | None = None) -> dict[str, Any]:
    pause_s, started = FIRST_LOOK_S, time.monotonic()
    while True:
        record: dict[str, Any] = call.server.call("task.get_record", task)
        meter(float(record["progress"]))
        if record["status"] not in ("pending", "cancelling"):
            return record
        if timeout_s is not None and time.monotonic() - started > timeout_s:
            raise Refused(["TASK_CANCELLED", task])
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)


def _forget(call: Call, task: str) -> None:
    try:
        call.server.call("task.destroy", task)
    except Refused:
        pass  # the server forgets ended tasks by itself


def _result(record: dict[str, Any], task: str) -> str:
    if record["status"] == "cancelled":
        raise Refused(record["error_info"] or ["TASK_CANCELLED", task])
    if record["status"] == "failure":
        raise Refused(record["error_info"] or ["INTERNAL_ERROR", "the task failed without an error"])
    found = _VALUE.fullmatch(str(record["result"]).strip())
    return unescape(found[1]) if found else str(record["result"])
