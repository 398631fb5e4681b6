"""Debian's Chromium without a window, steered over a pipe: it opens a page, runs scripts, types, takes pictures."""

import base64
import json
import mimetypes
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ANSWER_S = 30.0
PROGRAM = "chromium"
STRANGER = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
"""A page that is given to the browser here is of no known network to it: it would not let it into a private one."""


@contextmanager
def browser(profile: Path) -> Iterator["Browser"]:
    """A browser with a profile of its own, as long as the block lasts."""
    if shutil.which(PROGRAM) is None:
        pytest.fail(f"{PROGRAM} is missing: install the package {PROGRAM} (make soak does)")
    asked, answered = os.pipe(), os.pipe()
    options = (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--ignore-certificate-errors",
        "--no-first-run",
        STRANGER,
    )
    command = [PROGRAM, *options, f"--user-data-dir={profile}", "--window-size=1024,800", "--remote-debugging-pipe"]
    redirect = f'exec "$@" 3<&{asked[0]} 4>&{answered[1]}'  # where it looks for the pipe
    process = subprocess.Popen(
        ["bash", "-c", redirect, "bash", *command, "about:blank"],
        pass_fds=(asked[0], answered[1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(asked[0])
    os.close(answered[1])
    try:
        yield Browser(asked[1], answered[0])
    finally:
        process.terminate()
        process.wait(ANSWER_S)
        os.close(asked[1])
        os.close(answered[0])


class Browser:
    """One page of it."""

    def __init__(self, ask: int, answer: int) -> None:
        self._ask, self._answer = ask, answer
        self._seen = b""
        self._number = 0
        self._session = ""
        self._files: Mapping[str, Path | str] = {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")

    def open(self, origin: str, files: Mapping[str, Path | str], page: str) -> None:
        """Open a page; what is under these paths comes from the given texts and folders, as if its origin had it."""
        self._files = files
        self._call("Fetch.enable", patterns=[{"urlPattern": f"{origin}{path}*"} for path in files])
        self._call("Page.navigate", url=origin + page)

    def run(self, script: str) -> Any:
        """The value of a script in the page."""
        told = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def press(self, text: str) -> None:
        """Press and let go of keys: small letters, digits, blanks; a newline is Enter."""
        for letter in text:
            key, code = {"\n": ("Enter", "Enter"), " ": (" ", "Space")}.get(letter, (letter, ""))
            code = code or (f"Digit{letter}" if letter.isdigit() else f"Key{letter.upper()}")
            for kind in ("keyDown", "keyUp"):
                self._call("Input.dispatchKeyEvent", type=kind, key=key, code=code)

    def picture(self) -> bytes:
        """The page as a PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = self._send(method, params)
        deadline = time.monotonic() + ANSWER_S
        while True:
            message = self._receive(deadline, method)
            if message.get("method") == "Fetch.requestPaused":
                self._give(message["params"])
            elif message.get("id") == number:
                assert "error" not in message, f"{method}: {message}"
                return dict(message["result"])

    def _send(self, method: str, params: Mapping[str, Any]) -> int:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._ask, json.dumps(message).encode() + b"\0")
        return self._number

    def _receive(self, deadline: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._seen:
            ready, _, _ = select.select([self._answer], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{waiting_for}: no answer within {ANSWER_S:g} s"
            piece = os.read(self._answer, 1 << 20)
            assert piece, f"{waiting_for}: the browser has ended"
            self._seen += piece
        line, _, self._seen = self._seen.partition(b"\0")
        return dict(json.loads(line))

    def _give(self, paused: Mapping[str, Any]) -> None:
        url = "/" + paused["request"]["url"].split("/", 3)[3]
        path = next(path for path in self._files if url.startswith(path))
        where = self._files[path]
        body = where.encode() if isinstance(where, str) else (where / url.removeprefix(path)).read_bytes()
        kind = "text/html" if isinstance(where, str) else mimetypes.guess_type(url)[0] or "text/plain"
        headers = [{"name": "Content-Type", "value": kind}]
        given = {"requestId": paused["requestId"], "responseCode": 200, "responseHeaders": headers}
        self._send("Fetch.fulfillRequest", {**given, "body": base64.b64encode(body).decode()})
