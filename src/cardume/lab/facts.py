"""What people and programs need to know of a lab that is up: addresses, the user, power and cables."""

from collections.abc import Mapping, Sequence
from typing import Any

from cardume.lab.api import PASSWORD, USER
from cardume.lab.layout import FREENAS, ISO_EXPORT, TARGET_IQN, VDI_EXPORT, Lab, Network
from cardume.lab.services import Service

LUN = 1


def lab_facts(
    lab: Lab, boxes: Sequence[Mapping[str, Any]], serving: Mapping[Service, bool], console: str | None
) -> dict[str, Any]:
    """The lab as `status --json` tells it; `boxes` is the supervisor's word on each, `serving` which services run.

    `console` is the address of the web console, null while none runs.
    """
    return {
        "username": USER,
        "password": PASSWORD,
        "console": console,
        "storage": {
            "address": str(lab.address(lab.get_box(FREENAS), Network.STORAGE)),
            "iqn": TARGET_IQN,
            "lun": LUN,
            "nfs_export": ISO_EXPORT,
            "nfs_vdi_export": VDI_EXPORT,
            "target": "on" if serving[Service.ISCSI] else "off",
            "nfs": "on" if serving[Service.NFS] else "off",
        },
        "hosts": [_host_facts(box) for box in boxes if box["role"] == "host"],
    }


def _host_facts(box: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": box["name"],
        "address": box["networks"][Network.MANAGEMENT.value]["address"],
        "power": box["power"],
        "cables": {network.value: box["networks"][network.value]["cable"] == "plugged" for network in Network},
    }
