"""The console's web server: the log-in, what pages fetch, and the toolkit's pages behind the gate."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from cardume.console.attempts import Attempts
from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.connections.workspace import Workspaces
from cardume.console.gate import NO_COOKIE, Gate, cookie_of
from cardume.console.presenters.refusals import explain_failure
from cardume.console.text.catalogue import Texts, choose_language
from cardume.console.views.files import add_files
from cardume.console.views.live import add_views
from cardume.console.views.login import login_page
from cardume.console.views.screen import Screen
from cardume.guessers import guesser

STATIC = Path(__file__).parent / "static"
MOST_FORM_BYTES = 16 << 10


@dataclass(frozen=True)
class Settings:
    """How the console is run."""

    state: Path
    servers: tuple[str, ...] = ()  # the only ones to log in to, when there are any


def make_app(settings: Settings) -> Gate:
    """The whole console as an ASGI application."""
    workspaces = Workspaces(settings.state)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(workspaces.sweep())
        yield
        sweeping.cancel()
        await workspaces.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC))
    _add_login(app, workspaces, settings)
    add_views(app, texts_of)
    add_files(app)

    @app.get("/favicon.ico")  # browsers ask for it by themselves; the page below would draw a whole screen for nobody
    async def icon() -> Response:
        return FileResponse(STATIC / "favicon.svg")

    @ui.page("/{path:path}", title="Cardume")
    def page(request: Request, path: str) -> None:
        Screen(request.scope["workspace"], texts_of(request), f"/{path}", request.cookies.get("cardume_theme")).build()

    ui.run_with(
        app,
        title="Cardume",
        favicon=STATIC / "favicon.svg",
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=20.0,
        dark=None,
    )
    return Gate(app, workspaces)


def texts_of(request: Request) -> Texts:
    """The language of a request."""
    chosen = request.query_params.get("lang") or request.cookies.get("cardume_language")
    return Texts(choose_language(chosen, request.headers.get("accept-language", "")))


def _add_login(app: FastAPI, workspaces: Workspaces, settings: Settings) -> None:
    attempts = Attempts()

    def answer(request: Request, form: dict[str, str], status: int = 200, **shown: Any) -> HTMLResponse:
        t = texts_of(request)
        page = login_page(
            t,
            servers=settings.servers,
            server=form.get("server") or next(iter(settings.servers), ""),
            username=form.get("username") or "root",
            next_path=safe_path(form.get("next", "/")),
            **shown,
        )
        response = HTMLResponse(page, status)
        if "lang" in request.query_params:
            response.set_cookie("cardume_language", t.language, secure=True, samesite="strict")
        return response

    @app.get("/login")
    async def show_login(request: Request) -> Response:
        return answer(request, dict(request.query_params))

    @app.post("/login")
    async def login(request: Request) -> Response:
        form = read_form(await _body(request))
        t = texts_of(request)
        server, username = form.get("server", "").strip(), form.get("username", "")
        if not server or (settings.servers and server not in settings.servers):
            return answer(request, form, 400)
        browser = guesser(request.client.host) if request.client else ""
        wait_s = attempts.wait_s(browser)
        if wait_s > 0:
            error = t("login.wait", time=t.duration(math.ceil(wait_s)))
            refused = answer(request, form, 429, error=error)
            refused.headers["retry-after"] = str(math.ceil(wait_s))
            return refused
        attempts.begin(browser)
        workspace = workspaces.new()
        try:
            await workspace.add(server, username, form.get("password", ""), read_accepted(form.get("accept", "")))
        except UntrustedKey as untrusted:
            attempts.was_no_guess(browser)
            return answer(request, form, untrusted=untrusted, accepted=form.get("accept", ""))
        except Unreachable as failure:
            attempts.was_no_guess(browser)
            return answer(request, form, 403, error=explain_failure(failure, t))
        except Refused as failure:
            return answer(request, form, 403, error=explain_failure(failure, t))
        attempts.was_no_guess(browser)
        before = request.scope["workspace"]
        if before is not None:
            await workspaces.end(before)  # its cookie is replaced: nobody could log it out any more
        workspaces.admit(workspace)
        response = RedirectResponse(safe_path(form.get("next", "/")), 303)
        response.headers.append("set-cookie", cookie_of(workspace))
        return response

    @app.post("/logout")
    async def logout(request: Request) -> Response:
        await workspaces.end(request.scope["workspace"])
        response = RedirectResponse("/login", 303)
        response.headers.append("set-cookie", NO_COOKIE)
        return response


def read_form(body: bytes) -> dict[str, str]:
    """A posted form's fields, the last of each name."""
    return {name: values[-1] for name, values in parse_qs(body.decode(errors="replace"), True).items()}


def read_accepted(text: str) -> dict[str, str]:
    """Keys that were accepted on the page, by server: `d1-g1:443=KEY,d2-g1:443=KEY`."""
    return dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair)


def safe_path(path: str) -> str:
    """A path within the console to go to after the log-in; never another site's."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\", "/login", "/static")) else "/"


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM_BYTES:
            return b""
    return body
