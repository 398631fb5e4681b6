"""What `cardume lab status --json` says; programs and the course rely on its form."""

from ipaddress import IPv4Network
from typing import Any

from cardume.lab.facts import lab_facts
from cardume.lab.layout import Lab, Network
from cardume.lab.services import Service


def _box(lab: Lab, name: str, role: str, cable: str = "plugged") -> dict[str, Any]:
    box = lab.get_box(name)
    networks = {one.value: {"address": str(lab.address(box, one)), "cable": cable} for one in Network}
    return {"name": name, "role": role, "power": "on", "networks": networks}


def test_the_status_has_the_form_that_programs_rely_on() -> None:
    a_lab = Lab("lab", IPv4Network("10.147.0.0/23"), 2)
    boxes = [_box(a_lab, "freenas", "freenas"), _box(a_lab, "d1-g1", "host", "unplugged")]

    assert lab_facts(a_lab, boxes, {Service.ISCSI: True, Service.NFS: False}, "https://10.147.0.1:8443") == {
        "username": "root",
        "password": "cardume-lab",
        "console": "https://10.147.0.1:8443",
        "storage": {
            "address": "10.147.1.10",
            "iqn": "iqn.2005-10.org.freenas.cttl:lun1",
            "lun": 1,
            "nfs_export": "/mnt/iso",
            "nfs_vdi_export": "/mnt/vdi",
            "target": "on",
            "nfs": "off",
        },
        "hosts": [
            {
                "name": "d1-g1",
                "address": "10.147.0.11",
                "power": "on",
                "cables": {"management": False, "storage": False},
            }
        ],
    }
