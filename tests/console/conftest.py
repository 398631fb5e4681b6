"""A lab of its own for the console, the console itself as people start it, and Debian's Chromium."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.console.desk import Desk
from tests.lab.mending import mend
from tests.lab.npm_client import installed
from tests.lab.pool_room import pool_lab

from cardume.console.text.catalogue import Texts, choose_language
from cardume.lab.api import session
from cardume.lab.handle import LabHandle, handle

CHROMIUM = "/usr/bin/chromium"
VM_NAME = "by-hand-2"
START_TIMEOUT_S = 60.0
ENGLISH, PORTUGUESE = "en-US", "pt-BR"  # as browsers say it


@pytest.fixture
def room(made_room: LabHandle) -> LabHandle:
    """The console's lab, put right: hosts that answer, alone or in a pool that the first one leads."""
    mend(made_room)
    return made_room


@pytest.fixture(scope="package")
def made_room() -> Iterator[LabHandle]:
    """The handout's starting point. CARDUME_CONSOLE_LAB names one that is there already, for work by hand."""
    present = os.environ.get("CARDUME_CONSOLE_LAB")
    if present:
        yield handle(present)
        return
    with pool_lab("c", 2, 4) as made:
        yield made


@pytest.fixture(scope="package")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running console."""
    with running_console(tmp_path_factory.mktemp("console")) as address:
        yield address


@contextmanager
def running_console(state: Path, port: int = 0) -> Iterator[str]:
    """The address of a console that runs as long as the block."""
    with serving("cardume", "console", "--port", str(port), "--state", str(state)) as (address, _):
        yield address


@contextmanager
def serving(module: str, *words: str) -> Iterator[tuple[str, int]]:
    """A console in a process of its own, run as a module: its address and the process's id."""
    with subprocess.Popen((sys.executable, "-m", module, *words), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "asked for"
            line = process.stdout.readline()
            assert "https://" in line, f"the console did not start: {line!r}"
            yield line.split()[-1], process.pid
        finally:
            process.terminate()
            process.wait(START_TIMEOUT_S)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """A browser."""
    assert Path(CHROMIUM).exists(), "apt-get install chromium; `make test` does it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def axe() -> Path:
    """The script of axe-core, as its authors publish it."""
    return installed(Path(__file__).parent / "axe", "axe") / "axe-core/axe.min.js"


@pytest.fixture
def desk(
    console: str,
    chromium: Browser,
    axe: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Desk]:
    """A person at a browser: nothing may go wrong in it, every step is audited and leaves a picture.

    It speaks English unless the test is given another language.
    """
    pictures = Path(os.environ.get("CARDUME_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    locale: str = getattr(request, "param", ENGLISH)
    with sitting(chromium, console, axe, pictures if locale == ENGLISH else pictures / locale, locale) as desk:
        yield desk
    assert desk.mistakes == [], "\n".join(desk.mistakes)


@contextmanager
def sitting(chromium: Browser, console: str, axe: Path, pictures: Path, locale: str) -> Iterator[Desk]:
    """A person at a browser of their own, which knows nothing of other people's."""
    context = chromium.new_context(
        ignore_https_errors=True,
        viewport={"width": 1280, "height": 800},
        locale=locale,
        reduced_motion="reduce",  # what fades in or out cannot be read meanwhile: the audit would find that
    )
    context.add_init_script(path=axe)
    try:
        yield Desk(context.new_page(), console, pictures, Texts(choose_language(None, locale)))
    finally:
        context.close()


@pytest.fixture
def vm(room: LabHandle) -> Iterator[str]:
    """A halted VM with its disk on a local repository, whose name leads to it; gone afterwards with all its disks."""
    with session(room.address("d1-g1")) as api:
        (template,) = api.VM.get_by_name_label("Cardume lab guest")
        made = api.VM.clone(template, VM_NAME)
        api.VM.provision(made)
    yield VM_NAME
    with session(room.address("d1-g1")) as api:
        for ref, record in api.VM.get_all_records().items():
            if not record["name_label"].startswith(VM_NAME) or record["is_control_domain"]:
                continue
            if record["power_state"] != "Halted":
                api.VM.hard_shutdown(ref)
            disks = [api.VBD.get_VDI(vbd) for vbd in record["VBDs"] if api.VBD.get_type(vbd) == "Disk"]
            api.VM.destroy(ref)
            for disk in disks:
                api.VDI.destroy(disk)
