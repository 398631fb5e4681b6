"""Files to and from the pool, by its HTTP handlers: the work is a task, whose error says what went wrong."""

import http.client
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from cardume.cli.command import Call
from cardume.cli.failures import Plain, Refused
from cardume.cli.terminal import Meter
from cardume.cli.work import cancel, watch_on

CHUNK_BYTES = 1 << 20
LOOK_EVERY_S = 0.5


def download(call: Call, path: str, query: Mapping[str, str], filename: str, *, mode: int = 0o666) -> None:
    """Write what a handler sends to a new file; without success there is no file.

    mode: who may read it, if the caller's umask does not forbid more.
    """
    try:
        descriptor = os.open(filename, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        file = open(descriptor, "wb")  # noqa: SIM115 – closed below, whose errors are others
    except OSError as error:
        raise Plain(f"The file {filename} cannot be made: {error.strerror}.") from None
    task = _task(call, f"xe {path}")
    try:
        with call.terminal.meter(f"xe {path}", wanted=call.params.flag("progress")) as meter:
            with file:
                answer = _ask(call, "GET", path, query, task)
                look = _look(call, task, meter)
                while data := answer.read(CHUNK_BYTES):
                    file.write(data)
                    look()
                if answer.length:  # of a length that was told: http.client takes less for all of it
                    raise http.client.IncompleteRead(b"", answer.length)
            watch_on(call, task, meter)
    except BaseException as failure:
        Path(filename).unlink()
        if isinstance(failure, KeyboardInterrupt):
            cancel(call, task)
        if isinstance(failure, OSError | http.client.HTTPException):
            raise_task(call, task)
            raise Plain(f"The transfer broke off: {failure}.") from None
        raise


def upload(call: Call, path: str, query: Mapping[str, str], filename: str) -> str:
    """Send a file to a handler; the result of its task, as XML."""
    try:
        file = open(filename, "rb")  # noqa: SIM115 – likewise
    except OSError as error:
        raise Plain(f"The file {filename} cannot be read: {error.strerror}.") from None
    task = _task(call, f"xe {path}")
    with file, call.terminal.meter(f"xe {path}", wanted=call.params.flag("progress")) as meter:
        try:
            answer = _ask(call, "PUT", path, query, task, file.fileno(), _look(call, task, meter))
        except (OSError, http.client.HTTPException) as error:
            raise_task(call, task)
            raise Plain(f"The transfer broke off: {error}.") from None
        except KeyboardInterrupt:
            cancel(call, task)
            raise
        # Closed only when the work has ended: what is on its way yet would be thrown away with the connection.
        with answer:
            return watch_on(call, task, meter)


Look = Callable[[], None]


def _look(call: Call, task: str, meter: Meter) -> Look:
    """Shows how far the task is while its bytes are on their way; asks now and then, and only for who wants to see."""
    next_s = time.monotonic() + LOOK_EVERY_S

    def look() -> None:
        nonlocal next_s
        if call.params.flag("progress") and time.monotonic() >= next_s:
            meter(float(call.server.call("task.get_progress", task)))
            next_s = time.monotonic() + LOOK_EVERY_S

    return look


def _task(call: Call, label: str) -> str:
    return call.get("task.create", label, "")


def _ask(
    call: Call,
    verb: str,
    path: str,
    query: Mapping[str, str],
    task: str,
    body: int | None = None,
    sent: Look = lambda: None,
) -> http.client.HTTPResponse:
    asked = urlencode({"session_id": call.server.session, "task_id": task, **query})
    connection = call.server.raw_connection()
    answer = _once(connection, verb, f"{path}?{asked}", body, sent)
    if answer.status == 302:  # the data is on another host of the pool
        there = urlsplit(answer.getheader("Location", ""))
        connection.close()
        answer = _once(call.server.raw_connection(there.hostname), verb, f"{there.path}?{there.query}", body, sent)
    if answer.status != 200:
        raise_task(call, task)
        raise Plain(f"The server refused {path}: {answer.status} {answer.reason}.")
    return answer


def _once(
    connection: http.client.HTTPConnection, verb: str, url: str, body: int | None, sent: Look
) -> http.client.HTTPResponse:
    connection.putrequest(verb, url)
    if body is not None:
        connection.putheader("Content-Length", str(os.fstat(body).st_size))
    connection.endheaders()
    try:
        if body is not None:
            os.lseek(body, 0, os.SEEK_SET)
            with open(body, "rb", closefd=False) as file:
                for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
                    connection.send(chunk)
                    sent()
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all was sent: the answer says why
    return connection.getresponse()


def raise_task(call: Call, task: str) -> None:
    """Raise the error that a task ended with, if it did: it says more than the status of HTTP."""
    record = call.server.call("task.get_record", task)
    if record["error_info"]:
        raise Refused(record["error_info"])
