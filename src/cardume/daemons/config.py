"""The daemon's configuration: one TOML file, one frozen value; unknown keys are refused."""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path

from cardume.api.tls import HostFiles
from cardume.channel.pki import PoolFiles

CONFIG = Path("/etc/cardume/cardume.toml")
STATE = Path("/var/lib/cardume")
RUN = Path("/run/cardume")


class ConfigError(Exception):
    """The configuration cannot be used; the sentence says which key and why."""


@dataclass(frozen=True, slots=True)
class Config:
    """What an administrator decides for one host; all the rest is in the pool database."""

    host_uuid: str
    name_label: str
    management_bridge: str = "xenbr0"
    listen_port: int = 443
    redirect_port: int = 80  # 0: nothing listens there
    channel_port: int = 8444  # for the hosts of the pool alone; the same on all of them
    state: Path = STATE
    run: Path = RUN
    log_level: str = "info"

    @property
    def database(self) -> Path:
        return self.state / "pool.sqlite"

    @property
    def passwords(self) -> Path:
        return self.state / "passwd"

    @property
    def blobs(self) -> Path:
        return self.state / "blobs"

    @property
    def scratch(self) -> Path:
        return self.state / "scratch"

    @property
    def tls_files(self) -> HostFiles:
        return HostFiles(self.state / "tls" / "host.pem", self.state / "tls" / "host.key")

    @property
    def pool_files(self) -> PoolFiles:
        return PoolFiles(self.state / "tls" / "pool")

    @property
    def role(self) -> Path:
        return self.state / "role.json"

    @property
    def map(self) -> Path:
        return self.state / "pool.json"

    @property
    def mirror(self) -> Path:
        return self.state / "mirror.sqlite"

    @property
    def histories(self) -> Path:
        """Of what was measured."""
        return self.state / "rrd"

    @property
    def audit_log(self) -> Path:
        return self.state / "audit.log"

    @property
    def awake(self) -> Path:
        """In memory: it is gone when the host has booted."""
        return self.run / "awake"

    @property
    def vote(self) -> Path:
        return self.state / "vote.json"

    @property
    def socket(self) -> Path:
        return self.run / "xapi.sock"


def load(path: Path = CONFIG) -> Config:
    """The configuration in a file; ConfigError when it is missing, malformed or holds an unknown key."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing: run `cardume host setup` first") from None
    return parse(text, str(path))


def parse(text: str, source: str = "configuration") -> Config:
    """The configuration in a TOML text."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{source}: {fault}") from None
    known = {field.name: field for field in dataclasses.fields(Config)}
    if unknown := sorted(values.keys() - known.keys()):
        raise ConfigError(f"{source}: unknown key {unknown[0]!r}; known are {', '.join(known)}")
    if missing := [name for name in ("host_uuid", "name_label") if name not in values]:
        raise ConfigError(f"{source}: {missing[0]} is missing")
    for name, value in values.items():
        wanted = int if known[name].type is int else str
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ConfigError(f"{source}: {name} must be {'a number' if wanted is int else 'a text'}")
    for name in ("state", "run"):
        if name in values:
            values[name] = Path(values[name])
    return Config(**values)


def render(config: Config) -> str:
    """The TOML text of a configuration: only what differs from the defaults."""
    lines = []
    for field in dataclasses.fields(Config):
        value = getattr(config, field.name)
        if value == field.default:
            continue
        text = str(value) if isinstance(value, int) else '"' + str(value).translate(_ESCAPES) + '"'
        lines.append(f"{field.name} = {text}\n")
    return "".join(lines)


_CONTROL = {code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F)}
_ESCAPES: dict[int, str] = {ord("\\"): "\\\\", ord('"'): '\\"', **_CONTROL}
