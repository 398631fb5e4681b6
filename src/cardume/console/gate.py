"""The door of the console: who is let through, from which pages, and what browsers are told to allow.

It stands before everything else that answers, so that no screen can forget to ask.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from cardume.console.connections.workspace import Workspace, Workspaces

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "__Host-cardume"
_QUIET = ("/_nicegui_ws/", "/view/", "/static/", "/_nicegui/")  # what pages ask by themselves: nobody did anything

# The toolkit compiles its templates in the browser: without 'unsafe-eval' it shows nothing.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_STRICT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Gate:
    """Lets requests through to `app` that come from a logged-in person's own page; `scope["workspace"]` is theirs."""

    def __init__(self, app: App, workspaces: Workspaces) -> None:
        self.app = app
        self._workspaces = workspaces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not comes_from_here(scope, headers):
            await _refuse(scope, receive, send, 403, "This request comes from another page.")
            return
        workspace = self._workspaces.find(token_in(headers.get("cookie", "")))
        path: str = scope["path"]
        if workspace is None and path != "/login" and not path.startswith("/static/"):
            await _send_to_login(scope, receive, send, headers)
            return
        if workspace is not None and not path.startswith(_QUIET):
            workspace.touch()
        scope["workspace"] = workspace
        await self.app(scope, receive, _with_headers(send, path))


def comes_from_here(scope: Scope, headers: MutableMapping[str, str] | dict[str, str]) -> bool:
    """False when another origin's page makes the browser ask: for anything but reading, and for sockets."""
    origin = headers.get("origin")
    if scope["type"] == "websocket":
        return origin == f"https://{headers.get('host', '')}"
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return True
    return origin == f"https://{headers.get('host', '')}"


def token_in(cookies: str) -> str:
    """The session's token among a request's cookies; empty when there is none."""
    # By hand: the standard library drops all of them when another application on this host has set a strange one.
    pairs = (cookie.strip().partition("=") for cookie in cookies.split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


def cookie_of(workspace: Workspace) -> str:
    """The cookie that lets a browser in: no script reads it.

    It travels when a link elsewhere, in a mail for instance, is followed to here, and with nothing else that other
    sites do.
    """
    return f"{COOKIE}={workspace.token}; Path=/; Secure; HttpOnly; SameSite=Lax"


NO_COOKIE = f"{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


def _with_headers(send: Send, path: str) -> Send:
    policy = _STRICT_POLICY if path == "/login" else _POLICY
    own = (b"content-security-policy", policy.encode())

    async def with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), *_ALWAYS, own]
            if not path.startswith(("/static/", "/_nicegui/")):
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await send(message)

    return with_headers


async def _send_to_login(scope: Scope, receive: Receive, send: Send, headers: dict[str, str]) -> None:
    if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        where = f"/login?next={quote(scope['path'])}".encode()
        await send({"type": "http.response.start", "status": 303, "headers": [(b"location", where), *_ALWAYS]})
        await send({"type": "http.response.body", "body": b""})
        return
    await _refuse(scope, receive, send, 401, "Log in first.")


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_ALWAYS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
