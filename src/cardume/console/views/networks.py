"""Networks of a pool: adding one inside the hosts or on a VLAN, and removing one that nothing is in."""

from typing import TYPE_CHECKING

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.undoing import undone
from cardume.console.presenters import adding
from cardume.console.presenters.devices import why_not_removed
from cardume.console.presenters.sources import Source
from cardume.console.views import confirm
from cardume.console.views.forms import Draft, choice, form, text_field

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

Found = tuple[Connection, Source, str, Record]


async def add(screen: "Screen", found: Found) -> None:
    """A new network."""
    connection, source, _, _ = found
    t = screen.t
    nics = adding.nics_for_vlan(source)
    draft: Draft = {"name": "", "note": "", "kind": "private", "nic": next(iter(nics), ""), "vlan": ""}
    with form(screen, t("network.title"), t("do.network_add"), lambda: adding.why_no_network(draft, t)) as asked:
        text_field(t("field.name"), draft, "name", "autofocus")
        text_field(t("newvm.description"), draft, "note")
        kind = ui.radio({one: t(f"network.{one}") for one in ("private", "vlan")}, value=draft["kind"])
        kind.props(f'aria-label="{t("column.type")}"')
        kind.on_value_change(lambda event: draft.update(kind=event.value))
        for field in (choice(t("column.nic"), nics, draft, "nic"), text_field(t("column.vlan"), draft, "vlan")):
            field.bind_visibility_from(kind, "value", value="vlan")
    if await asked[0].is_filled():
        screen.run(t("job.network_add", name=draft["name"].strip()), make(connection, draft))


async def remove(screen: "Screen", found: Found, ref: str) -> None:
    """Remove a network that nothing is in."""
    connection, source, _, _ = found
    network = source.cache.find("network", ref)
    if network is None:
        screen.tell(screen.t("empty.object"), failed=True)
    elif await confirm.ask(screen, "do.network_remove", "confirm.network_remove", network["name_label"]):
        network = source.cache.find("network", ref) or network
        pifs = [pif for _, pif in source.cache.each("pif", network["PIFs"])]
        if why_not := why_not_removed(network, pifs, screen.t):  # its VLAN would be gone, and the network stay
            screen.tell(why_not, failed=True)
            return
        vlans = [pif["VLAN_master_of"] for pif in pifs if int(pif["VLAN"]) >= 0]
        screen.run(screen.t("job.network_remove", name=network["name_label"]), destroy(connection, ref, vlans))


async def make(connection: Connection, draft: Draft) -> None:
    """Make a network; one whose VLAN cannot be made is removed again."""
    network = {"name_label": draft["name"].strip(), "name_description": draft["note"], "MTU": 1500, "other_config": {}}
    ref = await connection.work("network.create", network)
    if draft["kind"] == "vlan":
        async with undone(connection, "network.destroy", ref):
            await connection.work("pool.create_VLAN", draft["nic"], ref, int(draft["vlan"]))


async def destroy(connection: Connection, ref: str, vlans: list[str]) -> None:
    """Remove the VLANs that are a network's own, then the network."""
    for vlan in vlans:
        await connection.work("VLAN.destroy", vlan)
    await connection.work("network.destroy", ref)
