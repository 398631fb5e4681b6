"""The log-in as browsers ask for it."""

from pathlib import Path

import httpx
import pytest
from nicegui import ui
from tests.unit.console.servers import PASSWORD, Server

from cardume.console.attempts import Attempts
from cardume.console.gate import COOKIE
from cardume.console.text.catalogue import Texts
from cardume.console.views.login import login_page
from cardume.console.web import Settings, make_app


async def test_a_second_log_in_ends_the_session_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui, "run_with", lambda *_, **__: None)
    gate = make_app(Settings(tmp_path / "console"))
    async with Server(tmp_path, "a").serving() as server:
        server.tell_of("pool", "p1", name_label="pool", master="h1")
        form = {"server": server.address, "username": "root", "password": PASSWORD}
        form["accept"] = f"{server.address}={server.key}"
        base = "https://console"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url=base) as browser:
            tokens = []
            for _ in range(2):
                answer = await browser.post("/login", data=form, headers={"origin": base})
                assert answer.status_code == 303
                tokens.append(answer.cookies[COOKIE])
                browser.cookies.set(COOKIE, tokens[-1])
            browser.cookies.clear()
            asked = [await browser.get("/view/tree", headers={"cookie": f"{COOKIE}={one}"}) for one in tokens]
            assert [one.status_code for one in asked] == [401, 200]
            leave = {"cookie": f"{COOKIE}={tokens[1]}", "origin": base}
            assert (await browser.post("/logout", headers=leave)).status_code == 303


async def test_who_guesses_passwords_waits_and_others_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui, "run_with", lambda *_, **__: None)
    gate = make_app(Settings(tmp_path / "console"))
    async with Server(tmp_path, "a").serving() as server:
        server.tell_of("pool", "p1", name_label="pool", master="h1")
        right = {"server": server.address, "username": "root", "password": PASSWORD}
        right["accept"] = f"{server.address}={server.key}"

        async def answers(address: str, *forms: dict[str, str]) -> list[int]:
            transport = httpx.ASGITransport(gate, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="https://console") as browser:
                origin = {"origin": "https://console"}
                return [(await browser.post("/login", data=one, headers=origin)).status_code for one in forms]

        wrong = {**right, "password": "guess"}
        assert await answers("10.0.0.1", *[wrong] * 6) == [403] * 5 + [429]
        asked = server.asked.count("session.login_with_password")
        assert await answers("10.0.0.1", right) == [429]
        assert server.asked.count("session.login_with_password") == asked
        assert await answers("10.0.0.2", right) == [303]
        network = [await answers(f"2001:db8::{number}", wrong) for number in range(1, 7)]
        assert network == [[403]] * 5 + [[429]]
        assert await answers("2001:db8:0:1::1", right) == [303]


def test_the_wait_grows_and_failures_are_forgotten() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    waits = []
    for _ in range(14):
        now[0] += attempts.wait_s("a")
        attempts.begin("a")
        waits.append(attempts.wait_s("a"))
    assert waits == [0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert attempts.wait_s("b") == 0
    now[0] += 901
    attempts.begin("a")
    assert attempts.wait_s("a") == 0


def test_an_attempt_that_tried_no_password_does_not_count_and_excuses_no_other() -> None:
    attempts = Attempts(lambda: 0.0)
    for _ in range(20):
        attempts.begin("a")
        attempts.was_no_guess("a")
    assert attempts.wait_s("a") == 0
    for _ in range(5):
        attempts.begin("a")
    assert attempts.wait_s("a") == 2
    attempts.begin("a")
    attempts.was_no_guess("a")
    assert attempts.wait_s("a") == 2


def test_another_language_keeps_where_one_was_going() -> None:
    shown = login_page(Texts("en"), servers=(), server="d1-g1", username="ana", next_path='/pool/p?x=1&y="2')
    assert 'href="/login?lang=pt-BR&amp;next=%2Fpool%2Fp%3Fx%3D1%26y%3D%222&amp;server=d1-g1&amp;username=ana"' in shown


async def test_the_icon_that_browsers_ask_for_by_themselves_is_a_file_and_no_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui, "run_with", lambda *_, **__: None)
    gate = make_app(Settings(tmp_path / "console"))
    async with Server(tmp_path, "a").serving() as server:
        server.tell_of("pool", "p1", name_label="pool", master="h1")
        form = {"server": server.address, "username": "root", "password": PASSWORD}
        form["accept"] = f"{server.address}={server.key}"
        base = {"origin": "https://console"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="https://console") as browser:
            cookie = {"cookie": f"{COOKIE}={(await browser.post('/login', data=form, headers=base)).cookies[COOKIE]}"}
            answer = await browser.get("/favicon.ico", headers=cookie)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
            assert (await browser.post("/logout", headers={**base, **cookie})).status_code == 303
