"""The names of all hosts of the pool, in `/etc/hosts`: libvirt waits for minutes for a name that nobody resolves."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from cardume.hostops.durable import write_text

HOSTS = Path("/etc/hosts")
BEGIN, END = "# cardume: hosts of the pool", "# cardume: end"


def with_names(text: str, hosts: Sequence[tuple[str, str]]) -> str:
    """The text of a hosts file with these addresses and names in our block, and all else as it was.

    What stands there already, written by somebody else, is not written again.
    """
    lines = text.splitlines()
    if BEGIN in lines and END in lines[lines.index(BEGIN) :]:
        begin = lines.index(BEGIN)
        del lines[begin : lines.index(END, begin) + 1]
    known = {(words[0], name) for line in lines if (words := line.partition("#")[0].split()) for name in words[1:]}
    added = [f"{address} {name}" for address, name in sorted(hosts) if (address, name) not in known]
    if added:
        lines += [BEGIN, *added, END]
    return "".join(f"{line}\n" for line in lines)


async def names_of(hosts: Sequence[tuple[str, str]], path: Path = HOSTS) -> None:
    """Have every name resolve here; a file that has them already is left alone."""
    await asyncio.to_thread(_replace, hosts, path)


def _replace(hosts: Sequence[tuple[str, str]], path: Path) -> None:
    before = path.read_text() if path.exists() else ""
    after = with_names(before, [(address, name) for address, name in hosts])
    if after != before:
        write_text(path, after)
