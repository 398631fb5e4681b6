"""Foreign Python clients in the cache: unmodified, from their lock, outside the checkout and its environment."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cardume.lab.cache import CACHE, built, key_of
from cardume.lab.handle import quiet

LOCK = Path(__file__).parent / "requirements.lock"


def foreign_packages() -> Path:
    """A directory for PYTHONPATH: ansible-core, the collection community.general, XenAPI and xen-bridge."""
    pins = LOCK.read_text()

    def install(fresh: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        command = [*pip, "--require-hashes", "-r", str(LOCK), "--target", str(fresh / "packages")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            pytest.fail(f"the foreign clients could not be fetched: {done.stderr[-2000:]}")
        _keep_only_general(fresh / "packages/ansible_collections")

    return built(CACHE, "python-clients", key_of(1, sys.version_info[:2], pins), install, quiet) / "packages"


def _keep_only_general(collections: Path) -> None:
    """Of Ansible's hundred collections the one with XenServer's modules: the others are half a gigabyte."""
    for path in collections.iterdir():
        if path.is_dir() and path.name != "community":
            shutil.rmtree(path)
    for path in (collections / "community").iterdir():
        if path.is_dir() and path.name != "general":
            shutil.rmtree(path)
