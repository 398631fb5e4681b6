"""Needs a lab, and Node 18 or later with npm. Proves that the npm package `xen-api`, unmodified, lives with a host.

It is the library under Xen Orchestra. It shows what it knows from a cache that it keeps by following events, so a VM's
life is told here through that cache alone: a change that is not told as an event is waited for in vain.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cardume.lab.api import PASSWORD, USER
from cardume.lab.cache import CACHE, built, key_of, key_of_files
from cardume.lab.handle import LabHandle, quiet
from cardume.lab.starting_point import LOCAL_PATH

STORY = Path(__file__).parent / "clients/npm"
NODE_AT_LEAST = 18
NAME = "npm-story"


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The packages of the lock file, installed into the cache: nothing of them comes into the checkout."""
    for program, package in (("node", "nodejs"), ("npm", "npm")):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing: install the package {package} (apt-get install nodejs npm)")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True, timeout=20).stdout
    if int(version.removeprefix("v").partition(".")[0]) < NODE_AT_LEAST:
        pytest.fail(f"node is {version.strip()}; the package xen-api needs {NODE_AT_LEAST} or later")
    declared = [STORY / "package.json", STORY / "package-lock.json"]

    def install(fresh: Path) -> None:
        for path in declared:
            shutil.copy(path, fresh)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--cache={fresh}/.npm"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            pytest.fail(f"npm ci failed: {done.stderr[-2000:]}")
        shutil.rmtree(fresh / ".npm", ignore_errors=True)

    return built(CACHE, "npm", key_of(1, key_of_files(STORY, declared)), install, quiet) / "node_modules"


def tell(lab: LabHandle, node_modules: Path) -> dict[str, dict[str, Any]]:
    """Run the story; what each of its steps told."""
    url = f"https://{lab.address('d1-g1')}"
    command = ["node", str(STORY / "life_of_a_vm.mjs"), str(node_modules), url, USER, PASSWORD, NAME]
    done = subprocess.run(command, capture_output=True, text=True, timeout=420)
    assert done.stdout, done.stderr[-4000:]
    story: dict[str, Any] = json.loads(done.stdout)
    steps = {step.pop("step"): step for step in story["steps"]}
    print(json.dumps({"took_s": story["took_s"], "steps": steps}, indent=1))
    assert story["failure"] is None, f"after {list(steps)}: {story['failure']}\n{done.stderr[-2000:]}"
    assert done.stderr == "", "the package warns of what it does not understand"
    return steps


def left_behind(lab: LabHandle) -> tuple[list[str], list[str]]:
    """The files of the host's own SR, and what libvirt knows."""
    files = lab.exec("d1-g1", "ls", LOCAL_PATH).split()
    domains = lab.exec("d1-g1", "virsh", "list", "--all", "--name").split()
    return sorted(files), sorted(domains)


def test_a_vm_lives_and_ends_through_the_package_s_cache_and_leaves_nothing(lab: LabHandle, node_modules: Path) -> None:
    before = left_behind(lab)
    steps = tell(lab, node_modules)

    assert list(steps) == [
        "logIn",
        "barrier",
        "make",
        "start",
        "answer",
        "plugDisk",
        "unplugDisk",
        "suspend",
        "resume",
        "shutDown",
        "destroy",
        "refusals",
        "cancel",
        "reconnect",
    ]
    assert steps["logIn"]["host"] == "d1-g1"
    assert steps["plugDisk"]["device"] == "xvdb"
    assert steps["unplugDisk"]["whileInUse"] == "VDI_IN_USE"
    assert steps["suspend"]["whileSuspended"][0] == "VM_BAD_POWER_STATE"
    assert steps["suspend"]["whileSuspended"][2:] == ["halted", "suspended"]
    suspended_at, resumed_at, later = steps["resume"]["ticks"]
    assert suspended_at <= resumed_at < later
    refused = steps["refusals"]
    assert refused["unknown"] == ["HANDLE_INVALID", "VM", "OpaqueRef:none"]
    assert refused["template"][0] == "VM_IS_TEMPLATE"
    assert refused["gone"][:2] == ["HANDLE_INVALID", "VM"]
    assert refused["noMethod"] == ["MESSAGE_METHOD_UNKNOWN", "VM.fly"]
    assert steps["cancel"]["meanwhile"][0] == "OTHER_OPERATION_IN_PROGRESS"
    assert steps["cancel"]["meanwhile"][3] == "clean_shutdown"
    assert steps["cancel"]["outcome"] == ["task canceled"]
    assert steps["cancel"]["tookS"] < 5
    assert steps["reconnect"]["addresses"] == [lab.address("d1-g1")]
    assert left_behind(lab) == before
