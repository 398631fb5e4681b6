"""What is believed and what is kept: keys, the vault, cookies, the gate."""

import asyncio
import gc
import weakref
from collections.abc import MutableMapping
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Any

import pytest

from cardume.console.certificate import ensure_certificate
from cardume.console.connections.cache import Cache
from cardume.console.connections.failures import Unreachable
from cardume.console.connections.keys import KnownKeys, grouped, key_of_certificate
from cardume.console.connections.vault import Saved, Vault
from cardume.console.connections.workspace import Job, Workspaces
from cardume.console.connections.xenapi import XenApi, server_of
from cardume.console.gate import COOKIE, Gate, comes_from_here, cookie_of, token_in
from cardume.console.web import read_accepted, read_form, safe_path


def test_an_accepted_key_is_remembered_by_file_that_others_cannot_read(tmp_path: Path) -> None:
    KnownKeys(tmp_path / "known").accept("a:443", "aa11")
    assert KnownKeys(tmp_path / "known").find("a:443") == "aa11"
    assert KnownKeys(tmp_path / "known").find("b:443") is None
    assert (tmp_path / "known").stat().st_mode & 0o077 == 0
    assert grouped("aa11") == "AA:11"


def test_the_vault_opens_by_the_right_password_alone_and_shows_none(tmp_path: Path) -> None:
    saved = (Saved("d2-g1:443", "root", "other-secret"),)
    Vault(tmp_path, "root@d1", "first-secret").write(saved)
    assert Vault(tmp_path, "root@d1", "first-secret").read() == saved
    assert Vault(tmp_path, "root@d1", "guess").read() == ()
    assert Vault(tmp_path, "ana@d1", "first-secret").read() == ()
    (file,) = tmp_path.iterdir()
    assert b"secret" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


def test_the_consoles_certificate_is_kept_and_made_anew_for_another_address_with_the_same_key(tmp_path: Path) -> None:
    certificate, key = ensure_certificate(tmp_path, ("10.147.0.1",))
    first = certificate.read_text()
    assert ensure_certificate(tmp_path, ("10.147.0.1",))[0].read_text() == first
    second = ensure_certificate(tmp_path, ("10.200.0.1",))[0].read_text()
    assert second != first
    assert key_of_certificate(PEM_cert_to_DER_cert(second)) == key_of_certificate(PEM_cert_to_DER_cert(first))
    assert key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("typed", "server"),
    [
        ("d1-g1", "d1-g1:443"),
        (" https://10.0.0.1/ ", "10.0.0.1:443"),
        ("10.0.0.1:8443", "10.0.0.1:8443"),
        ("fe80::1", "[fe80::1]:443"),
        ("[fe80::1]:444", "[fe80::1]:444"),
    ],
)
def test_a_server_is_named_by_address_and_port(typed: str, server: str) -> None:
    assert server_of(typed) == server


@pytest.mark.parametrize("typed", ["d1..g1", ".", f"{'x' * 64}.example", "d1-g1/path", ""])
async def test_a_name_that_no_name_service_can_be_asked_for_is_no_address(typed: str) -> None:
    api = XenApi(server_of(typed), lambda _: None)
    with pytest.raises(Unreachable, match="is not an address"):
        await api.login("root", "x")
    await api.close()


@pytest.mark.parametrize(
    ("scope", "headers", "passes"),
    [
        ({"type": "http", "method": "GET"}, {"host": "c:1"}, True),
        ({"type": "http", "method": "POST"}, {"host": "c:1"}, False),
        ({"type": "http", "method": "POST"}, {"host": "c:1", "origin": "https://c:1"}, True),
        ({"type": "http", "method": "POST"}, {"host": "c:1", "origin": "https://evil"}, False),
        ({"type": "websocket"}, {"host": "c:1"}, False),
        ({"type": "websocket"}, {"host": "c:1", "origin": "https://c:1"}, True),
        ({"type": "websocket"}, {"host": "c:1", "origin": "http://c:1"}, False),
    ],
)
def test_other_pages_cannot_make_a_browser_ask(scope: dict[str, Any], headers: dict[str, str], passes: bool) -> None:
    assert comes_from_here(scope, headers) is passes


async def asked(gate: Gate, path: str, **headers: str) -> list[MutableMapping[str, Any]]:
    sent: list[MutableMapping[str, Any]] = []
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": raw}

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await gate(scope, receive, send)
    return sent


async def fake_app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


async def test_nobody_gets_in_without_a_session_and_a_session_ends_at_once(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path)
    gate = Gate(fake_app, workspaces)
    assert (await asked(gate, "/view/tree"))[0]["status"] == 401
    start, _ = await asked(gate, "/pool/p", accept="text/html")
    assert (start["status"], start["headers"][0]) == (303, (b"location", b"/login?next=/pool/p"))
    workspace = workspaces.new()
    cookie = cookie_of(workspace)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" in cookie
    assert (await asked(gate, "/view/tree", cookie=cookie))[0]["status"] == 401
    workspaces.admit(workspace)
    start, body = await asked(gate, "/view/tree", cookie=cookie)
    assert (start["status"], body["body"]) == (200, b"inside")
    assert "frame-ancestors 'none'" in dict(start["headers"])[b"content-security-policy"].decode()
    await workspaces.end(workspace)
    assert (await asked(gate, "/view/tree", cookie=cookie))[0]["status"] == 401


@pytest.mark.parametrize("path", ["/loginx", "/login/pool/p", "/logout", "/static", "/_nicegui/x.js", "/view/tree"])
async def test_nothing_but_the_log_in_and_its_looks_is_open(tmp_path: Path, path: str) -> None:
    gate = Gate(fake_app, Workspaces(tmp_path))
    assert (await asked(gate, path))[0]["status"] == 401
    assert [(await asked(gate, one))[0]["status"] for one in ("/login", "/static/console.css")] == [200, 200]


def test_another_applications_cookies_do_not_hide_ours() -> None:
    assert token_in(f'seen={{"x": 1}}; a b=c; {COOKIE}=t') == "t"
    assert token_in(f"x{COOKIE}=evil; {COOKIE}=t") == "t"


async def test_what_a_page_asks_by_itself_does_not_keep_a_session_alive(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path)
    workspace = workspaces.new()
    workspaces.admit(workspace)
    workspace.used_at -= 10_000
    gate = Gate(fake_app, workspaces)
    await asked(gate, "/view/tree", cookie=cookie_of(workspace))
    assert workspace.is_idle
    await asked(gate, "/alerts", cookie=cookie_of(workspace))
    assert not workspace.is_idle


async def test_who_is_idle_is_out_at_once_and_what_was_begun_goes_on_to_its_end(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path)
    workspace = workspaces.new()
    workspaces.admit(workspace)
    workspace.used_at -= 10_000
    end = asyncio.Event()
    moving = Job("Move VM web", "/")
    steps: list[str] = []

    async def move() -> None:
        await end.wait()
        moving.ended_at = 1.0
        steps.append("moved")

    workspace.jobs.append(moving)
    workspace.spawn(move())
    sweeping = asyncio.create_task(workspaces.sweep(0.01))
    async with asyncio.timeout(60):
        while workspaces.find(workspace.token) is not None:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert workspace.has_ended
        end.set()
        while not steps or workspaces.finishing:
            await asyncio.sleep(0.01)
    sweeping.cancel()
    assert steps == ["moved"]


async def test_nothing_is_left_in_memory_of_who_has_logged_out(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path)
    workspace = workspaces.new()
    workspaces.admit(workspace)
    sweeping = asyncio.create_task(workspaces.sweep(0.01))
    await asyncio.sleep(0.1)  # it has been looked at
    await workspaces.end(workspace)
    remembered = weakref.ref(workspace)
    del workspace
    async with asyncio.timeout(60):
        while remembered() is not None:
            gc.collect()
            await asyncio.sleep(0.01)
    sweeping.cancel()


def test_cookies_forms_and_paths_are_read_with_care() -> None:
    assert token_in(f"a=1; {COOKIE}=t; b=2") == "t"
    assert token_in("a=1") == ""
    assert read_form(b"server=a&server=b&x=%3D") == {"server": "b", "x": "="}
    assert read_accepted("a:443=11,b:443=22,") == {"a:443": "11", "b:443": "22"}
    assert [safe_path(one) for one in ("/pool/p", "//evil", "https://evil", "/\\evil", "")] == ["/pool/p", *["/"] * 4]


def test_the_cache_takes_in_what_happens_and_says_whether_anything_changed() -> None:
    cache = Cache()
    told = {"class": "VM", "operation": "add", "ref": "r", "snapshot": {"uuid": "u", "name_label": "web"}}
    assert cache.apply([told])
    assert not cache.apply([{**told, "operation": "mod"}])
    assert cache.find_ref("vm", "u") == "r"
    assert cache.apply([{"class": "vm", "operation": "del", "ref": "r"}])
    assert cache.find("vm", "r") is None
    assert cache.find_ref("vm", "u") is None
    assert cache.version == 2
