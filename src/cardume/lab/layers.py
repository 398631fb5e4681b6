"""What lies over a host's root file system: the pinned dependencies, and the product itself."""

import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardume.lab import rootfs
from cardume.lab.cache import Progress, built, key_of, key_of_files
from cardume.lab.errors import LabError
from cardume.lab.programs import run
from cardume.lab.rootfs import in_root

VENV = "/opt/cardume/venv"
PYTHON = "3.11"  # of the suite
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")
COMPILED = ("libvirt-python",)  # no wheels are published: compiled against the suite's own library
DOWNLOAD_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Project:
    """The checkout that the lab runs."""

    root: Path
    dependencies: tuple[str, ...]
    host_dependencies: tuple[str, ...]

    @property
    def lock(self) -> Path:
        """Every package that a host downloads, with its hashes; `make lock` writes it."""
        return self.root / "requirements-host.lock"

    @property
    def compiled(self) -> tuple[str, ...]:
        return tuple(d for d in self.host_dependencies if d.startswith(COMPILED))

    @property
    def source_key(self) -> str:
        """A name of the product's present state."""
        files = [path for path in (self.root / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        return key_of_files(self.root, [*files, self.root / "pyproject.toml"])


def get_project() -> Project:
    """The checkout that this code is part of; LabError when it was installed without one."""
    root = Path(__file__).resolve().parents[3]
    if not (root / "pyproject.toml").is_file():
        raise LabError("the lab runs from a checkout of the project: its hosts get what is in src/")
    declared: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return Project(root, tuple(declared["dependencies"]), tuple(declared["optional-dependencies"]["host"]))


def downloads(cache: Path, project: Project, progress: Progress) -> Path:
    """A directory with the wheels of the dependencies for the suite's Python, fetched with the machine's pip."""

    def build(fresh: Path) -> None:
        progress("wheels", "downloading the pinned dependencies")
        platforms = [f"--platform={platform}" for platform in PLATFORMS]
        _pip(
            "download",
            "--only-binary=:all:",
            f"--python-version={PYTHON}",
            *platforms,
            "--require-hashes",
            "-d",
            str(fresh),
            "-r",
            str(project.lock),
        )

    return built(cache, "wheels", key_of(2, PYTHON, PLATFORMS, project.lock.read_text()), build, progress)


def compiled(cache: Path, project: Project, progress: Progress) -> Path:
    """A directory with the wheels that had to be compiled, in a build root that is gone afterwards."""

    def build(fresh: Path) -> None:
        with tempfile.TemporaryDirectory(dir=cache, prefix=".building-compiled-root-") as scratch:
            root = Path(scratch) / "root"
            root.mkdir()
            rootfs.bootstrap(rootfs.BUILD, root, progress)
            _compile(root, project.compiled, fresh, progress)

    return built(cache, "compiled", key_of(1, rootfs.BUILD.key, project.compiled), build, progress)


def _compile(root: Path, requirements: tuple[str, ...], wheels: Path, progress: Progress) -> None:
    progress("build", f"compiling {', '.join(requirements)}")
    work = root / "tmp/compile"
    tools = work / "tools"
    tools.mkdir(parents=True)
    # pip asks a source package for its facts before it hands it over, and this one asks pkg-config for the library,
    # which only the build root has.
    proxy = tools / "pkg-config"
    proxy.write_text(f'#!/bin/sh\nexec chroot {root} /usr/bin/pkg-config "$@"\n')
    proxy.chmod(0o755)
    _pip("download", "--no-deps", "--no-binary=:all:", "-d", str(work), *requirements, path=tools)
    sources = [f"/tmp/compile/{path.name}" for path in work.iterdir() if path.is_file()]
    command = ("python3", "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", "/tmp/wheels")
    in_root(root, *command, *sources, timeout_s=600)
    run("cp", *(str(path) for path in (root / "tmp/wheels").iterdir()), str(wheels), timeout_s=60)


def dependencies_layer(
    cache: Path, base: Path, wheels: Path, built_wheels: Path, project: Project, progress: Progress
) -> Path:
    """The layer over the host's root file system that holds a virtual environment with the dependencies."""

    def build(fresh: Path) -> None:
        progress("dependencies", "installing the dependencies")
        with _over((base,), fresh) as root:
            in_root(root, "python3", "-m", "venv", VENV, timeout_s=120)
            (root / "tmp/wheels").mkdir()
            run(
                "cp",
                *(str(p) for d in (wheels, built_wheels) for p in d.iterdir()),
                str(root / "tmp/wheels"),
                timeout_s=60,
            )
            pip = (f"{VENV}/bin/pip", "install", "--no-index", "--find-links=/tmp/wheels", "--no-cache-dir")
            in_root(root, *pip, *project.dependencies, *project.host_dependencies, timeout_s=300)
            run("rm", "-rf", str(root / "tmp/wheels"), timeout_s=60)

    return built(cache, "dependencies", key_of(1, base.name, wheels.name, built_wheels.name), build, progress)


def product_layer(cache: Path, base: Path, dependencies: Path, project: Project, progress: Progress) -> Path:
    """The layer that holds the product: a wheel of the checkout, installed in the virtual environment."""

    def build(fresh: Path) -> None:
        progress("product", "installing the checkout")
        with _over((base, dependencies), fresh) as root:
            target = root / "tmp/product"
            target.mkdir()
            _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(target), str(project.root))
            wheels = [f"/tmp/product/{path.name}" for path in target.iterdir()]
            in_root(
                root, f"{VENV}/bin/pip", "install", "--no-index", "--no-deps", "--no-cache-dir", *wheels, timeout_s=120
            )
            run("rm", "-rf", str(target), timeout_s=60)

    return built(cache, "product", key_of(1, dependencies.name, project.source_key), build, progress)


def _pip(*arguments: str, path: Path | None = None) -> None:
    """The machine's own pip, with its indexes, certificates and proxies."""
    env = {"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin"} if path else None
    command, *rest = arguments
    run(
        sys.executable,
        "-m",
        "pip",
        command,
        "--disable-pip-version-check",
        "-q",
        *rest,
        timeout_s=DOWNLOAD_TIMEOUT_S,
        env=env,
    )


@contextmanager
def _over(lower: tuple[Path, ...], fresh: Path) -> Iterator[Path]:
    """A root file system made of layers (the lowest first) whose changes land in `fresh`."""
    with tempfile.TemporaryDirectory(dir=fresh.parent, prefix=f"{fresh.name}.") as scratch:
        root, work = Path(scratch) / "root", Path(scratch) / "work"
        root.mkdir()
        work.mkdir()
        stack = ":".join(str(path) for path in reversed(lower))
        run(
            "mount",
            "-t",
            "overlay",
            "overlay",
            "-o",
            f"lowerdir={stack},upperdir={fresh},workdir={work}",
            str(root),
            timeout_s=60,
        )
        try:
            yield root
        finally:
            run("umount", str(root), timeout_s=60)
