"""The command line of `xe`, read: which command, its parameters, and which server as whom.

Settings come from the command line, else from `XE_EXTRA_ARGS` (comma separated), else from `~/.xe` (a line each).
Only the first of these shows in a process listing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardume.cli.failures import Misused, Plain

SETTINGS = ("server", "port", "username", "password", "passwordfile", "ca-file", "no-verify")
_SWITCHES = {
    "-s": "server",
    "-h": "server",
    "-p": "port",
    "-u": "username",
    "-pw": "password",
    "-pwf": "passwordfile",
}

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """How a server's certificate is checked: by an authority, by what was seen before, or not at all."""

    ca_file: Path | None = None  # certificates of the authorities that may have signed it
    known_servers: Path | None = None  # the fingerprint of each server's key at its first use


@dataclass(frozen=True, slots=True)
class Settings:
    """Which server to speak to, and as whom."""

    server: str = ""  # empty: this host
    port: int = 443
    username: str = ""
    password: str = ""
    trust: Trust = Trust()


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command line as it was meant."""

    command: str
    params: Pairs  # flags have the value `true`
    settings: Settings

    @property
    def minimal(self) -> bool:
        """True when only values are wanted, on one line."""
        return dict(self.params).get("minimal") == "true"


def read_invocation(arguments: Sequence[str], environment: Mapping[str, str], home: Path) -> Invocation:
    """What a command line asks for; Misused when it makes no sense."""
    pairs, words = read_words(arguments)
    extra, _ = read_words(_split_escaped(environment.get("XE_EXTRA_ARGS", "")))
    settings = {**_rc_file(home / ".xe"), **dict(extra), **dict(pairs)}
    params = tuple(pair for pair in (*extra, *pairs) if pair[0] not in SETTINGS)
    command, *others = words or ["help"]
    # `help` takes the names of commands; elsewhere a bare word is a parameter without a value, as in XenServer.
    said = _settings(settings, _state(environment, home))
    return Invocation(command, (*params, *((word, "") for word in others)), said)


def read_words(arguments: Iterable[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The parameters, flags and switches of a command line, and its bare words."""
    pairs: list[tuple[str, str]] = []
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument.startswith("--"):
            key, found, value = argument[2:].partition("=")
            pairs.append((key, value if found else "true"))
        elif argument in _SWITCHES:
            value = next(rest, "")
            if not value and argument != "-pw":
                raise Misused(f"Syntax error: {argument} needs a value")
            pairs.append((_SWITCHES[argument], value))
        elif argument.startswith("-"):
            raise Misused(f"Syntax error: unknown switch {argument}")
        elif "=" in argument:
            key, _, value = argument.partition("=")
            pairs.append((key, value))
        elif argument:
            words.append(argument)
    return pairs, words


def _split_escaped(text: str) -> list[str]:
    r"""The parts between commas; `\,` is a comma inside a part."""
    parts = [""]
    characters = iter(text)
    for character in characters:
        if character == "\\":
            parts[-1] += next(characters, "")
        elif character == ",":
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _rc_file(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    said = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {key.strip(): value.strip() for key, _, value in said}


def _state(environment: Mapping[str, str], home: Path) -> Path:
    said = environment.get("XDG_STATE_HOME", "")
    return (Path(said) if said.startswith("/") else home / ".local" / "state") / "cardume"


def _settings(said: Mapping[str, str], state: Path) -> Settings:
    username, password = said.get("username", ""), said.get("password", "")
    if "passwordfile" in said and "password" not in said:
        username, password = _password_file(Path(said["passwordfile"]), username)
    try:
        port = int(said.get("port", "443"))
        if not 0 < port < 65536:
            raise ValueError
    except ValueError:
        raise Misused(f"Syntax error: {said['port']!r} is no port number") from None
    return Settings(said.get("server", ""), port, username, password, _trust(said, state))


def _trust(said: Mapping[str, str], state: Path) -> Trust:
    if said.get("no-verify", "false").lower() in ("true", "yes", "1"):
        return Trust()
    if said.get("ca-file"):
        return Trust(ca_file=Path(said["ca-file"]))
    return Trust(known_servers=state / "known-servers")


def _password_file(path: Path, username: str) -> tuple[str, str]:
    """User and password: a line each, or the password alone when the user was named elsewhere."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise Plain(f"The password file {path} cannot be read: {error.strerror}.") from None
    match lines[:2]:
        case [first] if username:
            return username, first
        case [first, second]:
            return first, second
        case _:
            raise Plain(f"The password file {path} must hold the user on its first line, the password on its second.")
