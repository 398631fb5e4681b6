"""A pool of two whose hosts reach the storage server's LUNs, and what its tests do by hand.

The pool's lab is one of its own beside the usual one; it is made once for all tests that ask for it.
"""

import xml.etree.ElementTree as ET
from typing import Any

from tests.lab.pool_room import done
from tests.lab.test_xe import run_xe

from cardume.lab.handle import LabHandle
from cardume.lab.layout import TARGET_IQN, Network

MASTER, MEMBER = "d1-g1", "d2-g1"
SR_NAME = "freenas-lun1"
EARLY_SR = "made before the second host joined"


def leads(lab: LabHandle, iqn: str = TARGET_IQN, scsi_id: str = "") -> list[str]:
    """The words that lead `xe` to a target, or to a LUN of it."""
    words = [f"device-config:target={lab.address('freenas', Network.STORAGE)}"]
    words += [f"device-config:targetIQN={iqn}"] if iqn else []
    return words + ([f"device-config:SCSIid={scsi_id}"] if scsi_id else [])


def probed(lab: LabHandle, code: str, *words: str) -> list[dict[str, str | None]]:
    """What a probe offers to choose from, after it was refused with this code."""
    ended = run_xe(lab, "sr-probe", "type=lvmoiscsi", *words, host=MASTER)
    assert ended.returncode == 1
    assert code in ended.stderr
    top = ET.fromstring(ended.stderr[ended.stderr.index("<?xml") :].rstrip().removesuffix(","))
    return [{fact.tag: fact.text for fact in one} for one in top]


def scsi_id_of(lab: LabHandle, iqn: str = TARGET_IQN, lun: str = "1") -> str:
    (found,) = (each for each in probed(lab, "SR_BACKEND_FAILURE_107", *leads(lab, iqn)) if each["LUNid"] == lun)
    assert found["SCSIid"] is not None
    return found["SCSIid"]


def shared_sr(lab: LabHandle) -> str:
    """The uuid of the SR on the course's LUN, which is made when it is not there."""
    found = done(lab, MASTER, "sr-list", f"name-label={SR_NAME}", "--minimal")
    if found:
        return found
    return make_sr(lab, SR_NAME)


def make_sr(lab: LabHandle, name: str, iqn: str = TARGET_IQN, lun: str = "1") -> str:
    """The uuid of a new SR on a LUN."""
    words = leads(lab, iqn, scsi_id_of(lab, iqn, lun))
    return done(lab, MASTER, "sr-create", f"name-label={name}", "type=lvmoiscsi", "shared=true", *words)


def clear_sr(api: Any, sr: str) -> None:
    """End the VMs with a disk on an SR, and remove them and all that is on it."""
    vdis = api.SR.get_VDIs(sr)
    for vm in {api.VBD.get_VM(vbd) for vdi in vdis for vbd in api.VDI.get_VBDs(vdi)}:
        if api.VM.get_power_state(vm) != "Halted":
            api.VM.hard_shutdown(vm)
        api.VM.destroy(vm)
    for vdi in vdis:
        api.VDI.destroy(vdi)


def remove_sr(lab: LabHandle, uuid: str) -> None:
    """Detach an SR everywhere and destroy it."""
    for pbd in done(lab, MASTER, "pbd-list", f"sr-uuid={uuid}", "--minimal").split(","):
        done(lab, MASTER, "pbd-unplug", f"uuid={pbd}")
    done(lab, MASTER, "sr-destroy", f"uuid={uuid}")
