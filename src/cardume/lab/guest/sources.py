"""Where packages come from: the machine's own mirrors, keys and proxies, for the release the guest is made of."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

# Options of the machine's apt that decide whether a download works at all.
_PASSED_ON = re.compile(r'^(Acquire::(?:https?|Retries|ForceIPv\d|Check-\w|Proxy)[^ ]*) "([^"]+)";$', re.MULTILINE)
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")


@dataclass(frozen=True, slots=True)
class Source:
    """One place packages come from, as a stanza of apt's deb822 format."""

    uris: str
    suites: tuple[str, ...]
    components: str
    signed_by: str = ""

    def stanza(self) -> str:
        """The source in deb822 form."""
        lines = [
            "Types: deb",
            f"URIs: {self.uris}",
            f"Suites: {' '.join(self.suites)}",
            f"Components: {self.components}",
        ]
        if self.signed_by:
            lines.append(f"Signed-By: {self.signed_by}")
        return "\n".join(lines) + "\n"


def sources_for(release: str, machine_release: str, texts: Iterable[str]) -> tuple[Source, ...]:
    """The distribution's own sources among the machine's, turned to another release of it; others are left out."""
    ours = []
    for source in (source for text in texts for source in parse_sources(text)):
        suites = tuple(
            release + suite.removeprefix(machine_release)
            for suite in source.suites
            if suite in {machine_release, f"{machine_release}-updates", f"{machine_release}-security"}
        )
        if suites and "main" in source.components.split():
            ours.append(replace(source, suites=suites, components="main"))
    return tuple(ours)


def parse_sources(text: str) -> tuple[Source, ...]:
    """Every binary source in a file of apt's, in either of its formats."""
    lines = [line.rstrip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    one_line = [match for line in lines if (match := _ONE_LINE.match(line.strip()))]
    if one_line:
        return tuple(_from_one_line(match) for match in one_line)
    stanzas = (_fields(stanza) for stanza in re.split(r"\n\s*\n", "\n".join(lines)))
    return tuple(
        Source(
            uris=fields["uris"],
            suites=tuple(fields["suites"].split()),
            components=fields.get("components", ""),
            signed_by=fields.get("signed-by", ""),
        )
        for fields in stanzas
        if "deb" in fields.get("types", "").split()
        and {"uris", "suites"} <= fields.keys()
        and fields.get("enabled", "yes") != "no"
    )


def apt_options(dump: str) -> tuple[str, ...]:
    """The options of `apt-config dump` a download may need (proxies, certificates), as apt's own lines."""
    return tuple(f'{name} "{value}"' for name, value in _PASSED_ON.findall(dump))


def read_machine_sources() -> tuple[str, ...]:
    """The text of every file the machine's apt reads its sources from."""
    directory = Path("/etc/apt/sources.list.d")
    paths = [Path("/etc/apt/sources.list"), *sorted(directory.glob("*.list")), *sorted(directory.glob("*.sources"))]
    return tuple(path.read_text() for path in paths if path.is_file())


def read_machine_release() -> str:
    """The code name of the machine's own release, empty when it has none."""
    match = re.search(r"^VERSION_CODENAME=\"?(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    return match[1] if match else ""


def _from_one_line(match: re.Match[str]) -> Source:
    signed_by = re.search(r"signed-by=(\S+)", match["options"] or "")
    return Source(
        uris=match["uri"],
        suites=(match["suite"],),
        components=match["components"].split("#")[0].strip(),
        signed_by=signed_by[1] if signed_by else "",
    )


def _fields(stanza: str) -> dict[str, str]:
    """A stanza's fields; a continued line belongs to the field above it."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace() and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.lower()
            fields[name] = value.strip()
    return fields
