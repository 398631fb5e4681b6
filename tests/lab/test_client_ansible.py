"""Needs a lab, and pip's package index once. Proves that Ansible's XenServer modules, unmodified, drive a host.

`community.general.xenserver_guest`, `_info` and `_powerstate` create a VM of the lab's template, describe it, suspend,
resume and shut it down, change its processors, memory, disks, networks and boot order, copy the template in full, and
remove everything again.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.lab.clients.packages import foreign_packages

from cardume.lab.api import PASSWORD, USER
from cardume.lab.handle import LabHandle

PLAYBOOK = Path(__file__).parent / "clients/ansible/life_of_a_vm.yml"
CLIENT = "Ansible xenserver_*"
VM = "by-ansible"
FIRST_NETWORK = "Pool-wide network associated with eth0"
SECOND_NETWORK = "Pool-wide network associated with eth1"


@pytest.fixture
def answers(lab: LabHandle, api: Any, tmp_path: Path) -> dict[str, Any]:
    """What each step of the playbook answered."""
    packages = foreign_packages()
    disks = set(api.VDI.get_all())
    told = tmp_path / "answers.json"
    variables = {
        "server": f"https://{lab.address('d1-g1')}",
        "user": USER,
        "vm": VM,
        "sr": "Local storage",
        "second_network": SECOND_NETWORK,
        "answers": str(told),
    }
    environment = {
        **os.environ,
        "PYTHONPATH": str(packages),
        "ANSIBLE_COLLECTIONS_PATH": str(packages),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "XENSERVER_PASSWORD": PASSWORD,
    }
    play = [sys.executable, str(packages / "bin/ansible-playbook"), "-i", "localhost,", "-c", "local", str(PLAYBOOK)]
    command = [*play, "-e", json.dumps(variables)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500)
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    steps: dict[str, Any] = json.loads(told.read_text())
    return {**steps, "VDIs before": disks}


@pytest.mark.compat(CLIENT, "log in", "create", "facts", "power", "change", "clone", "remove")
def test_a_vm_lives_by_the_modules_of_community_general(answers: dict[str, Any], api: Any) -> None:
    created = answers["created"]["instance"]
    assert (created["state"], created["name_desc"]) == ("poweredon", "made by Ansible")
    assert created["hardware"] == {"num_cpus": 1, "num_cpu_cores_per_socket": 1, "memory_mb": 256}
    assert [disk["size"] for disk in created["disks"]][1:] == [32 << 20]
    assert [disk["sr"] for disk in created["disks"]] == ["Local storage", "Local storage"]
    (nic,) = created["networks"]
    assert nic["name"] == FIRST_NETWORK
    assert nic["ip"].startswith("10."), "the address that the guest itself has told"

    assert answers["again"]["changed"] is False
    (described,) = answers["described"]["instance"]["networks"]
    # An address of IPv6 that the guest makes itself may be told a little later.
    assert {**described, "ip6": nic["ip6"]} == nic
    assert answers["suspended"]["instance"]["state"] == "suspended"
    assert answers["resumed"]["instance"]["state"] == "poweredon"
    assert answers["shut"]["instance"]["state"] == "poweredoff"

    changed = answers["changed"]["instance"]
    assert changed["name"] == f"{VM}-renamed"
    assert changed["hardware"] == {"num_cpus": 2, "num_cpu_cores_per_socket": 1, "memory_mb": 320}
    assert [disk["size"] for disk in changed["disks"]][1:] == [48 << 20]
    assert [nic["name"] for nic in changed["networks"]] == [FIRST_NETWORK, SECOND_NETWORK]

    copied = answers["copied"]["instance"]
    assert (copied["name"], copied["is_template"]) == (f"{VM}-copy", True)

    assert [step["changed"] for step in answers["removed"]["results"]] == [False, True, True]
    assert [record["name_label"] for record in api.VM.get_all_records().values() if VM in record["name_label"]] == []
    assert set(api.VDI.get_all()) == answers["VDIs before"]
