"""Bonds of a server: what is shown, which cards may become one, and why not."""

from typing import Any

import pytest
from tests.unit.console.rooms import Room

from cardume.console.connections.cache import NULL
from cardume.console.connections.failures import Refused
from cardume.console.connections.workspace import Job
from cardume.console.presenters import bonds
from cardume.console.text.catalogue import Texts
from cardume.console.views.bonds import destroy, make

T = Texts("en")


def room() -> Room:
    """A host with eth0, the management's, eth1 and eth2; a VM is plugged into the network of eth2."""
    made = Room("pool-g1")
    made.host("a")
    for number, mode in enumerate(("DHCP", "None", "None")):
        made.put("network", f"n{number}", name_label=f"net {number}", VIFs=[])
        made.put(
            "pif",
            f"eth{number}",
            device=f"eth{number}",
            MAC=f"52:54:00:00:00:0{number}",
            IP="",
            metrics=NULL,
            network=f"network:n{number}",
            host="host:a",
            physical=True,
            managed=True,
            management=number == 0,
            ip_configuration_mode=mode,
            bond_slave_of=NULL,
            bond_master_of=[],
        )
    made.vm("web", on="a")
    made.put("vif", "web-0", VM="vm:web", currently_attached=True)
    made.put("network", "n2", VIFs=["vif:web-0"])
    made.put("host", "a", PIFs=["pif:eth0", "pif:eth1", "pif:eth2"])
    return made


def bonded() -> Room:
    made = room()
    for name in ("eth0", "eth1"):
        made.put("pif", name, bond_slave_of="bond:b")
    made.put("bond", "b", master="pif:bond0", slaves=["pif:eth1", "pif:eth0"], mode="active-backup")
    top = {**made.record("pif", "eth0"), "uuid": "bond0", "device": "bond0", "physical": False}
    made.put("pif", "bond0", **{**top, "bond_slave_of": NULL, "bond_master_of": ["bond:b"]})
    made.put("host", "a", PIFs=["pif:eth0", "pif:eth1", "pif:eth2", "pif:bond0"])
    return made


def test_cards_are_listed_and_a_bond_with_what_it_is_made_of() -> None:
    alone = bonds.nics(room().source(), room().record("host", "a"), T)
    assert [row[0].text for row in alone.rows] == ["eth0", "eth1", "eth2"]
    assert "Actions" not in alone.columns
    made = bonded()
    table = bonds.nics(made.source(), made.record("host", "a"), T)
    assert [(row[0].text, row[0].note) for row in table.rows] == [
        ("eth0", "in bond0"),
        ("eth1", "in bond0"),
        ("eth2", ""),
        ("bond0", "eth0, eth1 – Active-passive: one carries, the others wait"),
    ]
    assert [[act.key for act in row[-1].acts] for row in table.rows] == [[], [], [], ["bond_remove"]]


def test_a_card_that_cannot_be_bonded_says_why() -> None:
    made = room()
    made.put("pif", "eth1", managed=False)
    listed = bonds.candidates(made.source(), made.record("host", "a"), T)
    assert [(nic.device, nic.why_not) for nic in listed] == [
        ("eth0", ""),
        ("eth1", "is not managed by the pool"),
        ("eth2", "VMs run with network cards in its network: web"),
    ]
    made = bonded()
    first, *_ = bonds.candidates(made.source(), made.record("host", "a"), T)
    assert first.why_not == "is in a bond already"


@pytest.mark.parametrize(
    ("nics", "name", "wrong"),
    [
        (["pif:eth0"], "b", "Choose two network cards or more."),
        (["pif:eth0", "pif:eth1"], " ", "It needs a name."),
        (["pif:eth0", "pif:eth1"], "b", ""),
    ],
)
def test_a_bond_has_two_cards_and_a_name(nics: list[str], name: str, wrong: str) -> None:
    assert bonds.why_no_bond(room().source(), {"nics": nics, "name": name, "mode": "lacp"}, T) == wrong


def test_two_addresses_do_not_become_one() -> None:
    made = room()
    made.put("pif", "eth1", ip_configuration_mode="Static")
    said = bonds.why_no_bond(made.source(), {"nics": ["pif:eth0", "pif:eth1"], "name": "b", "mode": "lacp"}, T)
    assert "these cards have one each: eth0, eth1" in said


def test_the_commands_of_a_bond() -> None:
    draft = {"nics": ["pif:eth0", "pif:eth1"], "name": "Bond eth0+eth1", "mode": "lacp"}
    assert bonds.suggested_name(room().source(), draft["nics"]) == "Bond eth0+eth1"
    assert [*bonds.commands(room().source(), draft)] == [
        "NETWORK=$(xe network-create name-label='Bond eth0+eth1')",
        "xe bond-create network-uuid=$NETWORK pif-uuids=eth0,eth1 mode=lacp",
    ]


class Server:
    """A pool that notes what it is asked for, and may refuse to make a bond; its networks are empty but for `used`."""

    def __init__(self, refusal: Refused | None = None, *, used: bool = False) -> None:
        self.asked: list[str] = []
        self.refusal, self.used = refusal, used

    async def call(self, method: str, *params: Any) -> Any:
        self.asked.append(method)
        return {"PIFs": [], "VIFs": ["vif:web-0"] if self.used else []} if method == "network.get_record" else "task"

    async def work(self, method: str, *params: Any) -> str:
        self.asked.append(method)
        return "network:new"

    async def result_of(self, task: str) -> str:
        if self.refusal is not None:
            raise self.refusal
        return "bond:new"


async def test_a_bond_that_is_refused_leaves_no_network() -> None:
    draft: dict[str, Any] = {"nics": ["pif:eth0", "pif:eth1"], "name": "b", "mode": "lacp"}
    good: Any = Server()
    await make(good, Job("", "/"), draft)
    assert good.asked == ["network.create", "Async.Bond.create"]
    bad: Any = Server(Refused(("PIF_BOND_MORE_THAN_ONE_IP",)))
    with pytest.raises(Refused):
        await make(bad, Job("", "/"), draft)
    assert bad.asked == ["network.create", "Async.Bond.create", "network.destroy"]


@pytest.mark.parametrize("used", [False, True])
async def test_the_network_of_a_bond_goes_with_it_unless_something_is_in_it(used: bool) -> None:
    server: Any = Server(used=used)
    await destroy(server, Job("", "/"), "bond:b", "network:b")
    assert ("network.destroy" in server.asked) is not used
