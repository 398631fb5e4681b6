"""The images of the lab: for each role the layers that a box's root is stacked from, built when missing or stale."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cardume.lab import cache as cached
from cardume.lab import layers, rootfs
from cardume.lab.cache import Progress
from cardume.lab.guest import GuestImage, guest_image
from cardume.lab.layout import Role
from cardume.lab.programs import end_all


@dataclass(frozen=True)
class Images:
    """What a lab runs on."""

    layers: Mapping[Role, tuple[Path, ...]]  # of each role, the lowest first
    guest: GuestImage


def build_images(cache: Path, project: layers.Project, progress: Progress) -> Images:
    """The layers of each role, from the cache or built now.

    What does not need each other is built side by side: downloads and unpacking take turns on network and processor.
    """
    pool = ThreadPoolExecutor()
    try:
        host = pool.submit(rootfs.root_file_system, cache, rootfs.HOST, progress)
        wheels = pool.submit(layers.downloads, cache, project, progress)
        compiled = pool.submit(layers.compiled, cache, project, progress)
        guest = pool.submit(guest_image, cache, progress)
        freenas = pool.submit(rootfs.root_file_system, cache, rootfs.FREENAS, progress)
        base = host.result()
        dependencies = layers.dependencies_layer(cache, base, wheels.result(), compiled.result(), project, progress)
        product = layers.product_layer(cache, base, dependencies, project, progress)
        stacks = {Role.HOST: (base, dependencies, product), Role.FREENAS: (freenas.result(),)}
        return Images(stacks, guest.result())
    except BaseException:
        end_all()  # one part failed, or Ctrl-C: nobody waits for the others any more
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def prune(cache: Path, images: Images, in_use: Sequence[Path]) -> list[Path]:
    """Remove images that no lab uses and nobody asked for in a while; tells what went."""
    keep = {*in_use, images.guest.disk.parent, *(layer for stack in images.layers.values() for layer in stack)}
    return cached.prune(cache, keep)
