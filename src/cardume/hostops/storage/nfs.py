"""Folders on NFS servers, read without a kernel client by the programs of libnfs."""

import re
from dataclasses import dataclass

from cardume.hostops.errors import RunError, RunTimeout, StorageConfigError, StorageError, StorageUnreachable
from cardume.hostops.run import run

# What libnfs would take for something else stays out: "?" begins options, "#" and "%" may be decoded.
_LOCATION = re.compile(r"(?P<server>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?):(?P<path>/[^?#%\\\x00-\x1f\x7f]*)")
_ENTRY = re.compile(r"([-dlbcps])[-rwxsStT]{9}\s+\d+\s+-?\d+\s+-?\d+\s+(\d+) (.+)")
_FREE = re.compile(r"\s*(\d+) of\s+(\d+) bytes free\.")


@dataclass(frozen=True, slots=True)
class NfsFolder:
    """A folder a server exports."""

    server: str
    path: str

    @property
    def url(self) -> str:
        return f"nfs://{self.server}{self.path}"


@dataclass(frozen=True, slots=True)
class NfsFile:
    """A regular file in an exported folder."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The regular files of a folder by name, and the space on its disk."""

    files: tuple[NfsFile, ...]
    free_bytes: int


def parse_location(location: str) -> NfsFolder:
    """The server and path in `server:/path`; StorageConfigError for anything that could mean more than that."""
    found = _LOCATION.fullmatch(location)
    if found is None or ".." in found["path"].split("/"):
        raise StorageConfigError(
            "location", f"location: {location!r} is not server:/path (a name or an IPv4 address, and a plain path)"
        )
    return NfsFolder(found["server"], found["path"].rstrip("/") or "/")


def parse_listing(output: str) -> Listing:
    """The output of `nfs-ls -s`."""
    files = []
    free = 0
    for line in output.splitlines():
        entry = _ENTRY.fullmatch(line)
        space = _FREE.fullmatch(line)
        if entry and entry[1] == "-":
            files.append(NfsFile(entry[3], int(entry[2])))
        elif space:
            free = int(space[1])
        elif line.strip() and not entry:
            raise StorageError(f"nfs-ls wrote a line that is not understood: {line[:200]!r}")
    return Listing(tuple(sorted(files, key=lambda file: file.name)), free)


async def list_folder(folder: NfsFolder, *, timeout_s: float) -> Listing:
    """What is in the folder now; StorageUnreachable when the server does not give it in time."""
    return parse_listing(await _ask("-s", folder.url, timeout_s=timeout_s))


async def list_exports(server: str, *, timeout_s: float) -> tuple[str, ...]:
    """The paths that a server exports."""
    url = NfsFolder(parse_location(f"{server}:/").server, "").url
    lines = (await _ask("-D", url, timeout_s=timeout_s)).splitlines()
    return tuple(sorted(line.removeprefix(url) for line in lines if line.startswith(f"{url}/")))


async def _ask(*arguments: str, timeout_s: float) -> str:
    try:
        return await run("nfs-ls", *arguments, timeout_s=timeout_s)
    except RunTimeout:
        raise StorageUnreachable(f"{arguments[-1]} did not answer within {timeout_s:g} s") from None
    except RunError as error:
        if error.status == 127:
            raise StorageError(str(error)) from error
        raise StorageUnreachable(f"{arguments[-1]} cannot be read: {error.output.strip()[-500:]}") from error
