"""The lab on paper: its name, subnet, boxes, addresses, and where on the machine each piece of it lives.

A *box* is a container of the lab: a host of the machine room, or `freenas`, its storage server.
"""

import json
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from pathlib import Path

from cardume.lab.errors import LabError

STATE = Path("/var/lib/cardume-lab")
DEFAULT_NAME = "lab"
DEFAULT_SUBNET = "10.147.0.0/23"
FREENAS = "freenas"
MAX_HOSTS = 64
MAX_NAME = 12  # the machine's interface names, at most 15 characters, carry it

TARGET_IQN = "iqn.2005-10.org.freenas.cttl:lun1"
LUN_SERIAL = "080027f9441700"
LUN_BYTES = 80 << 30
ISO_EXPORT = "/mnt/iso"
VDI_EXPORT = "/mnt/vdi"


class Role(StrEnum):
    """What a box is; it decides the image that it runs."""

    HOST = "host"
    FREENAS = "freenas"


class Network(StrEnum):
    """The two networks; every box has one cable in each."""

    MANAGEMENT = "management"
    STORAGE = "storage"

    @property
    def interface(self) -> str:
        """The name that the cable's plug has inside a box."""
        return "eth0" if self is Network.MANAGEMENT else "eth1"

    @property
    def bridge(self) -> str:
        """The name of the switch, in the lab's network namespace."""
        return "cardume0" if self is Network.MANAGEMENT else "cardume1"


@dataclass(frozen=True)
class Box:
    """A container of the lab, on paper."""

    name: str
    role: Role
    number: int  # the last octet of its addresses

    def cable(self, network: Network) -> str:
        """The outer end of its cable in a network, in the lab's network namespace."""
        return f"{self.name}-{network.value[0]}"


@dataclass(frozen=True)
class Lab:
    """A lab, on paper: everything else follows from its name, its subnet and how many hosts it has.

    `more_targets`: its storage server offers, beside the course's target, those that tests need.
    """

    name: str
    subnet: IPv4Network
    host_count: int
    more_targets: bool = False

    @cached_property
    def hosts(self) -> tuple[Box, ...]:
        return tuple(Box(f"d{n}-g1", Role.HOST, 10 + n) for n in range(1, self.host_count + 1))

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """Every container, the storage server first: hosts look for it when they start."""
        return (Box(FREENAS, Role.FREENAS, 10), *self.hosts)

    def get_box(self, name: str) -> Box:
        """The box of that name; LabError that lists the names there are."""
        for box in self.boxes:
            if box.name == name:
                return box
        raise LabError(f"the lab {self.name} has no host {name}; it has {', '.join(box.name for box in self.boxes)}")

    def network(self, network: Network) -> IPv4Network:
        """The first half of the subnet is the management network, the second the storage network."""
        halves = tuple(self.subnet.subnets(new_prefix=24))
        return halves[0] if network is Network.MANAGEMENT else halves[1]

    def address(self, box: Box, network: Network = Network.MANAGEMENT) -> IPv4Address:
        return self.network(network)[box.number]

    def machine_address(self, network: Network) -> IPv4Address:
        """The machine's own address: .1 in both networks."""
        return self.network(network)[1]

    def machine_interface(self, network: Network) -> str:
        """The machine's end of its cable into a network."""
        return f"c{network.value[0]}-{self.name}"

    @property
    def netns(self) -> str:
        return f"cardume-{self.name}"

    @property
    def directory(self) -> Path:
        """All that the lab keeps on the machine; gone after `lab down`."""
        return STATE / self.name

    def box_directory(self, box: Box) -> Path:
        return self.directory / "boxes" / box.name

    @property
    def socket(self) -> Path:
        return self.directory / "supervisor.sock"


def plan_lab(name: str, subnet: str, host_count: int, more_targets: bool = False) -> Lab:
    """A lab from what a person typed; LabError that says what is wrong with it."""
    check_name(name)
    if not 1 <= host_count <= MAX_HOSTS:
        raise LabError(f"a lab has 1 to {MAX_HOSTS} hosts, not {host_count}")
    try:
        network = IPv4Network(subnet)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise LabError(f"{subnet} is not a subnet A.B.C.0/23: {error}") from None
    if network.prefixlen != 23:
        raise LabError(f"the lab needs a /23 (one /24 for management, one for storage), not {subnet}")
    return Lab(name, network, host_count, more_targets)


def check_name(name: str) -> None:
    """Refuse a name that cannot be part of an interface's name."""
    if not re.fullmatch(rf"[a-z][a-z0-9-]{{0,{MAX_NAME - 1}}}", name):
        raise LabError(f"a lab's name is 1 to {MAX_NAME} of a-z, 0-9 and -, beginning with a letter, not {name!r}")


def find_lab(name: str) -> Lab | None:
    """The lab of that name that was brought up here, if there is one."""
    check_name(name)
    try:
        facts = json.loads((STATE / name / "lab.json").read_text())
    except FileNotFoundError:
        return None
    return Lab(facts["name"], IPv4Network(facts["subnet"]), facts["hosts"], facts.get("more_targets", False))


def get_lab(name: str) -> Lab:
    """The lab of that name that was brought up here; LabError that tells how to bring it up."""
    lab = find_lab(name)
    if lab is None:
        raise LabError(f"there is no lab {name} here; `cardume lab up --name {name}` makes it")
    return lab


def remember(lab: Lab) -> None:
    """Write the lab down, so that other commands find it."""
    lab.directory.mkdir(parents=True, exist_ok=True)
    facts = {"name": lab.name, "subnet": str(lab.subnet), "hosts": lab.host_count, "more_targets": lab.more_targets}
    write_whole(lab.directory / "lab.json", json.dumps(facts))


def write_whole(path: Path, text: str) -> None:
    """Replace a file's text at once: a reader, or a crash, sees the old or the new one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)
