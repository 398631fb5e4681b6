"""The log-in as browsers ask for it."""

from pathlib import Path

import httpx
import pytest
from nicegui import ui
from tests.unit.console.servers import PASSWORD, Server

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


def test_another_language_keeps_where_one_was_going() -> None:
    shown = login_page(Texts("en"), servers=(), server="d1-g1", username="ana", next_path='/pool/p?x=1&y="2')
    assert 'href="/login?lang=pt-BR&amp;next=%2Fpool%2Fp%3Fx%3D1%26y%3D%222&amp;server=d1-g1&amp;username=ana"' in shown
