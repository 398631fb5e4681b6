from ipaddress import IPv4Network

import pytest

from cardume.lab.errors import LabError
from cardume.lab.layout import Lab, Network, plan_lab


def test_addresses_follow_from_the_subnet_and_the_hosts_number() -> None:
    lab = plan_lab("lab", "10.147.0.0/23", 3)
    assert [(box.name, str(lab.address(box)), str(lab.address(box, Network.STORAGE))) for box in lab.boxes] == [
        ("freenas", "10.147.0.10", "10.147.1.10"),
        ("d1-g1", "10.147.0.11", "10.147.1.11"),
        ("d2-g1", "10.147.0.12", "10.147.1.12"),
        ("d3-g1", "10.147.0.13", "10.147.1.13"),
    ]
    assert str(lab.machine_address(Network.MANAGEMENT)) == "10.147.0.1"
    assert str(lab.machine_address(Network.STORAGE)) == "10.147.1.1"


def test_names_of_interfaces_fit_the_kernels_fifteen_characters() -> None:
    lab = plan_lab("twelveletter", "10.147.0.0/23", 64)
    assert lab.machine_interface(Network.MANAGEMENT) == "cm-twelveletter"
    assert max(len(box.cable(network)) for box in lab.boxes for network in Network) <= 15


@pytest.mark.parametrize(
    ("name", "subnet", "hosts", "reason"),
    [
        ("Lab", "10.147.0.0/23", 2, "a lab's name is"),
        ("thirteenchars", "10.147.0.0/23", 2, "a lab's name is"),
        ("../x", "10.147.0.0/23", 2, "a lab's name is"),
        ("lab", "10.147.1.0/23", 2, "is not a subnet"),
        ("lab", "10.147.0.0/24", 2, "the lab needs a /23"),
        ("lab", "nonsense", 2, "is not a subnet"),
        ("lab", "10.147.0.0/23", 0, "a lab has 1 to 64 hosts"),
        ("lab", "10.147.0.0/23", 65, "a lab has 1 to 64 hosts"),
    ],
)
def test_a_lab_that_cannot_be_is_refused(name: str, subnet: str, hosts: int, reason: str) -> None:
    with pytest.raises(LabError, match=reason):
        plan_lab(name, subnet, hosts)


def test_an_unknown_host_is_refused_with_the_names_there_are() -> None:
    lab = Lab("lab", IPv4Network("10.147.0.0/23"), 2)
    with pytest.raises(LabError, match=r"no host d9-g1; it has freenas, d1-g1, d2-g1"):
        lab.get_box("d9-g1")
