"""Files that guests in memory are saved to: what each was made of, as there is nothing else of it to be kept."""

import asyncio
import json
from pathlib import Path
from typing import Any

from cardume.hostops.durable import write_json
from cardume.hostops.errors import GuestError
from cardume.hostops.guests.memory_machines import Machine


async def write_image(machine: Machine, path: str) -> None:
    """Keep a guest in a file, durably."""
    image = {
        "uuid": machine.spec.uuid,
        "disks": [disk.device for disk in machine.spec.disks],
        "nics": [nic.device for nic in machine.spec.nics],
        "vcpus": machine.spec.vcpus,
    }
    try:
        await asyncio.to_thread(write_json, Path(path), image)
    except OSError as error:
        raise GuestError(f"the guest cannot be saved to {path}: {error.strerror}") from error


async def read_image(path: str) -> dict[str, Any]:
    """What a file says of the guest that it holds; GuestError when it holds none."""
    return await asyncio.to_thread(_read_image, path)


def _read_image(path: str) -> dict[str, Any]:
    try:
        with open(path) as file:
            image = json.load(file)
    except (OSError, ValueError) as error:
        raise GuestError(f"{path} holds no saved guest: {error}") from error
    if not isinstance(image, dict):
        raise GuestError(f"{path} holds no saved guest")
    return image
