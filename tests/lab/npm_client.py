"""The npm package `xen-api`, unmodified, and the stories that it plays: Node programs in `clients/npm`."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cardume.lab.api import PASSWORD, USER
from cardume.lab.cache import CACHE, built, key_of, key_of_files
from cardume.lab.handle import LabHandle, quiet

STORY = Path(__file__).parent / "clients/npm"
NODE_AT_LEAST = 18


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The packages of the lock file, installed into the cache: nothing of them comes into the checkout."""
    for program, package in (("node", "nodejs"), ("npm", "npm")):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing: install the package {package} (apt-get install nodejs npm)")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True, timeout=20).stdout
    if int(version.removeprefix("v").partition(".")[0]) < NODE_AT_LEAST:
        pytest.fail(f"node is {version.strip()}; the package xen-api needs {NODE_AT_LEAST} or later")
    return installed(STORY, "npm")


def installed(declared_in: Path, name: str) -> Path:
    """The packages of a lock file, installed into a part of the cache, unmodified and without running any of them."""
    declared = [declared_in / "package.json", declared_in / "package-lock.json"]

    def install(fresh: Path) -> None:
        for path in declared:
            shutil.copy(path, fresh)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--cache={fresh}/.npm"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            pytest.fail(f"npm ci failed: {done.stderr[-2000:]}")
        shutil.rmtree(fresh / ".npm", ignore_errors=True)

    return built(CACHE, name, key_of(1, key_of_files(declared_in, declared)), install, quiet) / "node_modules"


def tell(
    lab: LabHandle, node_modules: Path, program: str, host: str, *words: str, warns: bool = False
) -> dict[str, dict[str, Any]]:
    """Run a story against a host; what each of its steps told. `warns`: it may complain, of a server that is away."""
    url = f"https://{lab.address(host)}"
    command = ["node", str(STORY / program), str(node_modules), url, USER, PASSWORD, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.stdout, done.stderr[-4000:]
    story: dict[str, Any] = json.loads(done.stdout)
    steps = {step.pop("step"): step for step in story["steps"]}
    print(json.dumps({"took_s": story["took_s"], "steps": steps}, indent=1))
    assert story["failure"] is None, f"after {list(steps)}: {story['failure']}\n{done.stderr[-2000:]}"
    assert warns or done.stderr == "", "the package warns of what it does not understand"
    return steps
