"""The systemd unit of the HA daemon."""

from pathlib import Path

UNIT = "cardume-had.service"


def unit_text(program: Path) -> str:
    """The unit. Whoever wants it stopped disables HA first: a stop while it holds the host is a reset of the host.

    When its first process dies the feeder goes on up to the deadline that it knows (KillMode); the others end by
    themselves. At a shutdown it is stopped after cardumed, which leaves the pool's HA in good order before.
    """
    return f"""\
[Unit]
Description=Cardume HA daemon
Before=cardumed.service
RefuseManualStop=yes
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={program}
Restart=always
RestartSec=100ms
KillMode=process
TimeoutStopSec=10
FileDescriptorStoreMax=2
OOMScoreAdjust=-1000
RuntimeDirectory=cardume
RuntimeDirectoryMode=0711
RuntimeDirectoryPreserve=yes
UMask=0077

[Install]
WantedBy=multi-user.target
"""
