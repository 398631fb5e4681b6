"""The guest's own scripts, as far as they can be tried outside of it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cardume.lab.guest import build, layout

ROOT = Path(build.__file__).parent / "root"
SCRIPTS = sorted(
    path for path in ROOT.rglob("*") if path.is_file() and (path.suffix == ".sh" or path.read_bytes().startswith(b"#!"))
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_is_well_formed(path: Path) -> None:
    done = subprocess.run(["sh", "-n", str(path)], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


def test_the_guest_finds_its_disk_by_the_mark_the_disk_is_written_with() -> None:
    mark = layout.RECORD_AT_START.split()[0].decode()
    assert f"\nmark={mark}\n" in (ROOT / "sbin/disk-ticks").read_text()


def test_every_driver_the_guest_asks_for_is_packed() -> None:
    asked = set()
    for line in (ROOT / "sbin/drivers").read_text().splitlines():
        if 'wanted="$wanted ' in line:
            asked |= set(line.split('wanted="$wanted ')[1].split('"')[0].split())
    for line in (ROOT / "sbin/start").read_text().splitlines():
        if line.startswith("modprobe -a "):
            asked |= set(line.split()[2:])
    assert asked == set(build.MODULES)


def test_every_service_of_init_exists() -> None:
    lines = [line for line in (ROOT / "etc/inittab").read_text().splitlines() if line and not line.startswith("#")]
    programs = [line.split(":", 3)[3].split()[0] for line in lines]
    ours = [program for program in programs if program.startswith("/sbin/")]
    assert ours == [
        "/sbin/start",
        "/sbin/ticks",
        "/sbin/disk-ticks",
        "/sbin/network",
        "/sbin/agent",
        "/sbin/banner",
    ]
    assert all((ROOT / program.lstrip("/")).is_file() for program in ours)


def test_the_shutdown_script_turns_the_agents_options_into_an_action(tmp_path: Path) -> None:
    shutil.copy(ROOT / "sbin/shutdown", tmp_path / "shutdown")
    for name in ("poweroff", "reboot", "halt"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} >>{tmp_path}/done\n")
        (tmp_path / name).chmod(0o755)
    # In place of the real setsid: in the foreground, so that the test sees the end.
    (tmp_path / "setsid").write_text('#!/bin/sh\nexec "$@"\n')
    (tmp_path / "setsid").chmod(0o755)
    script = f'. {tmp_path}/shutdown "$@"; wait'
    for options in (["-h", "-P", "+0", "hypervisor initiated shutdown"], ["-h", "-r", "+0"], ["-h", "-H", "+0"]):
        subprocess.run(
            ["sh", "-c", script, "sh", *options], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True, timeout=10
        )
    assert (tmp_path / "done").read_text().split() == ["poweroff", "reboot", "halt"]
