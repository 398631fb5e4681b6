"""The systemd unit `cardume-console.service`: the console as a user of its own that can do nothing but serve."""

import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

_UNIT = """\
[Unit]
Description=Cardume web console
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={command}
{credentials}DynamicUser=yes
StateDirectory=cardume-console
StateDirectoryMode=0700
Restart=always
RestartSec=1
AmbientCapabilities={capability}
CapabilityBoundingSet={capability}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
MemoryMax=1G

[Install]
WantedBy=multi-user.target
"""


def unit_text(
    listen: str, port: int, servers: Sequence[str], certificate: Path | None = None, key: Path | None = None
) -> str:
    """The unit that serves with these options, by the Python that runs now.

    A certificate is handed over by systemd, as the service's own user cannot read a key that is root's alone.
    """
    words = [sys.executable, "-m", "cardume", "console", "--listen", listen, "--port", str(port)]
    for server in servers:
        words += ["--server", server]
    command = " ".join(quote(word).replace("%", "%%") for word in words)
    credentials = ""
    for name, path in (("certificate", certificate), ("key", key)):
        if path is not None:
            command += f" --{name} ${{CREDENTIALS_DIRECTORY}}/{name}.pem"
            credentials += f"LoadCredential={name}.pem:{_in_unit(path)}\n"
    capability = "CAP_NET_BIND_SERVICE" if port < 1024 else ""
    return _UNIT.format(command=command, capability=capability, credentials=credentials)


def _in_unit(path: Path) -> str:
    """A path as a unit's settings take it: whole, and with systemd's own signs written twice."""
    return str(path.absolute()).replace("%", "%%")
