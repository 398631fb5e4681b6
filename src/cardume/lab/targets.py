"""What the storage server serves over iSCSI: the course's target, and further ones for tests.

The numbers of targets are fixed, because identifiers of their LUNs are made from them.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cardume.lab.errors import LabError
from cardume.lab.layout import LUN_BYTES, LUN_SERIAL, TARGET_IQN, Lab, Network

LUNS = "/var/lib/lun"
IQN = "iqn.2005-10.org.freenas.cttl"
MIB = 1 << 20


@dataclass(frozen=True)
class Lun:
    """A logical unit: a sparse file of the storage server."""

    number: int
    file: str
    serial: str
    size_bytes: int

    @property
    def path(self) -> str:
        return f"{LUNS}/{self.file}"


@dataclass(frozen=True)
class Account:
    """A CHAP account."""

    user: str
    password: str


@dataclass(frozen=True)
class Target:
    """An iSCSI target with its LUNs. Who logs in proves to be `incoming`, and asks it to prove to be `outgoing`."""

    number: int
    iqn: str
    luns: tuple[Lun, ...]
    incoming: Account | None = None
    outgoing: Account | None = None


COURSE = Target(1, TARGET_IQN, (Lun(1, "lun1.img", LUN_SERIAL, LUN_BYTES),))

_INITIATOR = Account("cardume", "chap-secret-12")
MORE = (
    Target(
        2,
        f"{IQN}:scratch",
        (
            Lun(1, "scratch1.img", "080027f9441721", 1024 * MIB),
            Lun(2, "scratch2.img", "080027f9441722", 256 * MIB),
        ),
    ),
    Target(3, f"{IQN}:chap", (Lun(1, "chap1.img", "080027f9441731", 256 * MIB),), _INITIATOR),
    Target(
        4,
        f"{IQN}:mutual",
        (Lun(1, "mutual1.img", "080027f9441741", 256 * MIB),),
        _INITIATOR,
        Account("freenas", "mutual-secret-34"),
    ),
)


def targets_of(lab: Lab) -> Sequence[Target]:
    """The targets that a lab's storage server offers."""
    return (COURSE, *MORE) if lab.more_targets else (COURSE,)


def get_lun(lab: Lab, iqn: str, number: int) -> tuple[Target, Lun]:
    """A LUN by its target's name and its number; LabError when the lab offers none such."""
    for target in targets_of(lab):
        for lun in target.luns:
            if (target.iqn, lun.number) == (iqn, number):
                return target, lun
    raise LabError(f"the lab {lab.name} has no LUN {number} on {iqn}")


def create_luns(var: Path, targets: Sequence[Target]) -> None:
    """Make the missing files behind LUNs, in the storage server's /var."""
    for lun in (lun for target in targets for lun in target.luns):
        file = var / lun.path.removeprefix("/var/")
        if file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".fresh")
        with fresh.open("wb") as image:
            image.truncate(lun.size_bytes)
            os.fsync(image.fileno())
        fresh.rename(file)  # a power cut leaves no LUN of another size


def targets_conf(lab: Lab) -> str:
    """The text of tgt's targets.conf."""
    return "".join(_target(target, str(lab.network(Network.STORAGE))) for target in targets_of(lab))


def _target(target: Target, initiators: str) -> str:
    accounts = (("incominguser", target.incoming), ("outgoinguser", target.outgoing))
    chap = [f"    {word} {account.user} {account.password}\n" for word, account in accounts if account]
    return (
        f"<target {target.iqn}>\n"
        f"    controller_tid {target.number}\n"
        f"{''.join(_lun(lun) for lun in target.luns)}"
        f"    initiator-address {initiators}\n"
        f"{''.join(chap)}"
        "</target>\n"
    )


def _lun(lun: Lun) -> str:
    return f"""\
    <backing-store {lun.path}>
        lun {lun.number}
        bs-type rdwr
        block-size 512
        vendor_id FreeNAS
        product_id "iSCSI Disk"
        product_rev 0123
        scsi_sn {lun.serial}
        params thin_provisioning=1
    </backing-store>
"""
