"""The images of the lab: for each role the layers that a box's root is stacked from, built when missing or stale."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cardume.lab import cache as cached
from cardume.lab import layers, rootfs
from cardume.lab.cache import Progress
from cardume.lab.layout import Role
from cardume.lab.programs import end_all

Images = Mapping[Role, tuple[Path, ...]]
"""For each role its layers, the lowest first."""

KINDS = ("host", "freenas", "wheels", "compiled", "dependencies", "product")


def build_images(cache: Path, project: layers.Project, progress: Progress) -> Images:
    """The layers of each role, from the cache or built now.

    What does not need each other is built side by side: downloads and unpacking take turns on network and processor.
    """
    pool = ThreadPoolExecutor()
    try:
        host = pool.submit(rootfs.root_file_system, cache, rootfs.HOST, progress)
        wheels = pool.submit(layers.downloads, cache, project, progress)
        compiled = pool.submit(layers.compiled, cache, project, progress)
        freenas = pool.submit(rootfs.root_file_system, cache, rootfs.FREENAS, progress)
        base = host.result()
        dependencies = layers.dependencies_layer(cache, base, wheels.result(), compiled.result(), project, progress)
        product = layers.product_layer(cache, base, dependencies, project, progress)
        return {Role.HOST: (base, dependencies, product), Role.FREENAS: (freenas.result(),)}
    except BaseException:
        end_all()  # one part failed, or Ctrl-C: nobody waits for the others any more
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def prune(cache: Path, images: Images, in_use: Sequence[Path]) -> list[Path]:
    """Remove images that no lab uses and nobody asked for within a day; tells what went."""
    keep = {*in_use, *(layer for stack in images.values() for layer in stack)}
    return cached.prune(cache, KINDS, keep)
