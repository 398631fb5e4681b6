"""The storage server's services, taken away and given back: how hosts bear that is what tests ask."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from cardume.lab import container, control
from cardume.lab.errors import LabError, ProgramError
from cardume.lab.layout import FREENAS, Lab, Network
from cardume.lab.programs import wait_until
from cardume.lab.targets import create_luns, get_lun, targets_conf, targets_of

TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 30.0


class Service(StrEnum):
    """What the storage server serves."""

    ISCSI = "iscsi"
    NFS = "nfs"

    @property
    def unit(self) -> str:
        """Its unit in the storage server."""
        return "tgt.service" if self is Service.ISCSI else "nfs-ganesha.service"


def stop(lab: Lab, service: Service) -> None:
    """Kill a service as a crash would: nobody is told, and it stays away until `start` or the next power-on."""
    _execute(lab, "systemctl", "stop", service.unit)


def start(lab: Lab, service: Service) -> None:
    """Give a service back, as it was; returns when it answers."""
    _execute(lab, "systemctl", "start", service.unit)
    wait_until(f"an answer of {service.unit} of {FREENAS}", lambda: _answers(lab, service), ANSWER_TIMEOUT_S)


def complete(lab: Lab) -> None:
    """Start what was stopped in a booted storage server, and offer targets that the lab asks for since it booted."""
    root = Path(f"/proc/{_leader(lab)}/root")
    create_luns(root / "var", targets_of(lab))
    (root / "etc/tgt/targets.conf").write_text(targets_conf(lab))
    for service in Service:
        start(lab, service)
    _execute(lab, "tgt-admin", "--execute")  # leaves targets alone that are there already


def resize_lun(lab: Lab, iqn: str, number: int, size_bytes: int) -> None:
    """Give a LUN another size at once. Sessions go on; they are told nothing, and see it when they ask for the size."""
    target, lun = get_lun(lab, iqn, number)
    update = ("tgtadm", "--lld", "iscsi", "--op", "update", "--mode", "logicalunit")
    unit = ("--tid", str(target.number), "--lun", str(number), "--params")
    _execute(lab, "truncate", f"--size={size_bytes}", lun.path)
    # tgt takes a file's size when it opens it, and opens a file anew only while the LUN is offline.
    for change in ("online=0", f"path={lun.path}", "online=1"):
        _execute(lab, *update, *unit, change)


def which_serve(lab: Lab) -> Mapping[Service, bool]:
    """Which services run; none when the storage server has no power."""
    if container.find(lab, lab.get_box(FREENAS)) is None:
        return dict.fromkeys(Service, False)
    units = [service.unit for service in Service]
    try:
        states = _execute(lab, "systemctl", "show", "--property=ActiveState", "--value", *units).split()
    except LabError:  # it boots, or has just lost its power
        states = ["unknown"] * len(units)
    return {service: state == "active" for service, state in zip(Service, states, strict=True)}


def _answers(lab: Lab, service: Service) -> bool:
    """Asked inside the storage server: its cable may be pulled."""
    address = str(lab.address(lab.get_box(FREENAS), Network.STORAGE))
    questions = {
        Service.ISCSI: ("bash", "-c", f"</dev/tcp/{address}/3260"),
        Service.NFS: ("sh", "-c", f"rpcinfo -T tcp {address} nfs 3 && rpcinfo -T tcp {address} mountd 3"),
    }
    try:
        _execute(lab, *questions[service])
    except ProgramError:
        return False
    return True


def _execute(lab: Lab, *command: str) -> str:
    return container.execute(_leader(lab), *command, timeout_s=TIMEOUT_S)


def _leader(lab: Lab) -> int:
    return control.get_leader(lab, lab.get_box(FREENAS))
