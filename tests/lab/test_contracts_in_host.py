"""Needs a lab, and pip's package index once. Proves that the contracts hold on the real things, inside a host.

The tests of `tests/contract` run there with the host's own Python, libvirt, QEMU, file system and storage server. The
host's daemon rests meanwhile; its VM runs on, and is found again at the end.
"""

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cardume.lab.api import session, wait_for_api
from cardume.lab.cache import CACHE, built, key_of
from cardume.lab.handle import LabHandle, quiet
from cardume.lab.layers import PLATFORMS, PYTHON, VENV, get_project
from cardume.lab.layout import FREENAS, ISO_EXPORT, VDI_EXPORT, Network

pytestmark = pytest.mark.timeout(3600)

HOST = "d2-g1"
PLACE = "/var/tmp/contract"
SECOND_ISO = "file.iso"
LIMIT_S = 3000.0
"""Of all of them together, which take some minutes on a machine at rest."""
BACK_S = 240.0
TOOLS = (
    "hypothesis",
    "iniconfig",
    "packaging",
    "pluggy",
    "pygments",
    "pytest",
    "pytest-asyncio",
    "pytest-timeout",
    "sortedcontainers",
    "typing-extensions",
)
"""pytest with its plug-ins and all they need: a host has no test tools of its own."""


@dataclass(frozen=True)
class Run:
    """How a run of pytest inside the host ended."""

    status: int
    output: str
    passed: int
    skipped: tuple[str, ...]
    not_passed: tuple[str, ...]


@pytest.fixture(scope="module")
def tools() -> Path:
    """A directory of Python packages for the hosts' Python, in the versions of the project's own lock."""
    pins = pinned(get_project().root / "requirements.lock")

    def install(fresh: Path) -> None:
        wanted = fresh / "pins"
        wanted.write_text(pins)
        platforms = [f"--platform={platform}" for platform in (*PLATFORMS, "any")]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        target = ["--only-binary=:all:", f"--python-version={PYTHON}", "--target", str(fresh / "packages")]
        command = [*pip, *target, *platforms, "--require-hashes", "-r", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            pytest.fail(f"the test tools could not be fetched: {done.stderr[-2000:]}")

    return built(CACHE, "test-tools", key_of(1, PYTHON, PLATFORMS, pins), install, quiet) / "packages"


def pinned(lock: Path) -> str:
    """The lock's own lines of the test tools, hashes and all."""
    kept, is_wanted = [], False
    for line in lock.read_text().splitlines():
        if not line.startswith(" "):
            is_wanted = line.partition("==")[0] in TOOLS
        if is_wanted:
            kept.append(line)
    return "\n".join(kept) + "\n"


@pytest.fixture
def quiet_host(lab: LabHandle, tools: Path) -> Iterator[LabHandle]:
    """The host with the tests in it and its daemon at rest; as it was before, afterwards."""
    place, second = lab.path(HOST, PLACE), lab.path(FREENAS, ISO_EXPORT) / SECOND_ISO
    root = get_project().root
    bytecode = shutil.ignore_patterns("__pycache__")
    with session(lab.address(HOST)) as api:
        (vm,) = api.VM.get_by_name_label(f"vm-{HOST}")
        if api.VM.get_power_state(vm) != "Running":
            api.VM.start(vm, False, False)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o755)
    try:
        shutil.copytree(tools, place / "tools")
        shutil.copy(root / "pyproject.toml", place)
        (place / "tests").mkdir()
        shutil.copy(root / "tests/conftest.py", place / "tests")
        shutil.copytree(root / "tests/contract", place / "tests/contract", ignore=bytecode)
        second.write_bytes(bytes(range(256)) * 4096)  # 1 MiB
        lab.exec(HOST, "systemctl", "stop", "cardumed")
        yield lab
    finally:
        second.unlink(missing_ok=True)
        for folder in lab.path(FREENAS, VDI_EXPORT).glob("contract-*"):
            shutil.rmtree(folder)
        lab.exec(HOST, "sh", "-c", "ip link delete brcontract0 2>/dev/null || true")
        lab.exec(HOST, "systemctl", "start", "cardumed")
        wait_for_api(lab.address(HOST), BACK_S)
        shutil.rmtree(place)


def run_contracts(lab: LabHandle) -> Run:
    storage = lab.address(FREENAS, Network.STORAGE)
    environment = [
        f"PYTHONPATH={PLACE}/tools",
        "PYTHONDONTWRITEBYTECODE=1",
        "CARDUME_CONTRACT_LIBVIRT=1",
        "CARDUME_CONTRACT_STORAGE=1",
        "CARDUME_CONTRACT_LVM=1",
        "CARDUME_CONTRACT_ETCD=/usr/bin/etcd",
        f"CARDUME_CONTRACT_NFS_ISO={storage}:{ISO_EXPORT}",
        f"CARDUME_CONTRACT_NFS_DISKS={storage}:{VDI_EXPORT}",
        "CARDUME_CONTRACT_LUN=1",
        f"CARDUME_CONTRACT_ISCSI={storage}:3260",
    ]
    options = f"-p no:cacheprovider -q --durations=10 --timeout=400 --basetemp={PLACE}/tmp --junitxml={PLACE}/run.xml"
    script = f"cd {PLACE} && {VENV}/bin/python -m pytest {options} tests/contract >{PLACE}/output 2>&1; echo $?"
    status = int(lab.exec(HOST, "env", *environment, "sh", "-c", script, timeout_s=LIMIT_S))
    output = lab.path(HOST, f"{PLACE}/output").read_text(errors="replace")
    report = lab.path(HOST, f"{PLACE}/run.xml")
    if not report.exists():
        pytest.fail(f"pytest ended with status {status}:\n{output[-4000:]}")
    return told(status, output, ET.fromstring(report.read_text()))


def told(status: int, output: str, report: ET.Element) -> Run:
    """A run as pytest's report tells it."""
    cases = list(report.iter("testcase"))
    skipped = [(case, skip) for case in cases for skip in case.iterfind("skipped")]
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    return Run(
        status=status,
        output=output,
        passed=len(cases) - len(skipped) - len(bad),
        skipped=tuple(f"{case.get('name')}: {skip.get('message')}" for case, skip in skipped),
        not_passed=tuple(f"{case.get('classname')}::{case.get('name')}" for case in bad),
    )


def test_every_contract_holds_on_the_real_things(quiet_host: LabHandle) -> None:
    run = run_contracts(quiet_host)
    print(run.output)

    assert run.not_passed == (), run.output[-20000:]
    assert run.status == 0, run.output[-4000:]
    assert run.skipped == ()
    assert "deselected" not in run.output  # the host has all that any case needs
    assert run.passed > 200


def test_the_vm_that_ran_on_without_the_daemon_is_known_again(lab: LabHandle) -> None:
    with session(lab.address(HOST)) as api:
        (vm,) = api.VM.get_by_name_label(f"vm-{HOST}")
        assert api.VM.get_power_state(vm) == "Running"
        uuid = api.VM.get_uuid(vm)
    assert lab.exec(HOST, "virsh", "list", "--name").split() == [uuid]
