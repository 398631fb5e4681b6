"""Drives and network cards of a VM: adding one, and taking one away, also while the VM runs."""

from typing import TYPE_CHECKING, Any

from nicegui import ui

from cardume.console.connections.cache import NULL, Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.undoing import undone
from cardume.console.presenters import adding
from cardume.console.presenters.sources import Source
from cardume.console.views import confirm
from cardume.console.views.forms import Draft, choice, form, text_field

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

Found = tuple[Connection, Source, str, Record]


async def add_disk(screen: "Screen", found: Found) -> None:
    """A new disk on a repository."""
    connection, source, ref, vm = found
    t = screen.t
    srs = adding.repositories_for(source, vm, t)
    name = t("disk.default_name", vm=vm["name_label"])
    draft: Draft = {"name": name, "note": "", "sr": next(iter(srs), ""), "size_gib": "8"}
    title = t("disk.title", name=vm["name_label"])
    with form(screen, title, t("do.disk_add"), lambda: adding.why_no_disk(draft, t)) as asked:
        text_field(t("field.name"), draft, "name", "autofocus")
        text_field(t("newvm.description"), draft, "note")
        text_field(t("disk.size"), draft, "size_gib", "inputmode=decimal")
        choice(t("column.sr"), srs, draft, "sr")
    if await asked[0].is_filled():
        screen.run(t("job.disk_add", vm=vm["name_label"]), make_disk(connection, ref, vm, draft))


async def attach_disk(screen: "Screen", found: Found) -> None:
    """A disk that no VM has."""
    connection, source, ref, vm = found
    t = screen.t
    disks = adding.free_disks(source, vm, t)
    draft: Draft = {"disk": next(iter(disks), "")}
    title = t("disk.attach_title", name=vm["name_label"])
    with form(screen, title, t("do.disk_attach"), lambda: "" if draft["disk"] else t("disk.none_free")) as asked:
        ui.label(t("disk.attach_lead" if disks else "disk.none_free"))
        choice(t("column.disk"), disks, draft, "disk")
    if not await asked[0].is_filled():
        return
    if draft["disk"] not in adding.free_disks(source, vm, t):
        screen.tell(t("disk.is_used"), failed=True)  # it was given to another one while the dialog was open
        return
    screen.run(t("job.disk_attach", vm=vm["name_label"]), attach(connection, ref, vm, draft["disk"], is_owner=False))


async def detach_disk(screen: "Screen", found: Found, ref: str) -> None:
    """Take a disk out of the VM; it stays on its repository."""
    connection, source, _, vm = found
    vbd, name = _drive(source, vm, ref)
    if vbd is None:
        screen.tell(screen.t("empty.object"), failed=True)
    elif await confirm.ask(screen, "do.disk_detach", "confirm.disk_detach", name):
        screen.run(screen.t("job.disk_detach", disk=name), take_away(connection, "VBD", ref))


async def delete_disk(screen: "Screen", found: Found, ref: str) -> None:
    """Delete a disk that no VM has: its name has to be typed."""
    connection, source, _, _ = found
    t = screen.t
    vdi = _unused(screen, source, ref)
    if vdi is None:
        return
    name = vdi["name_label"] or vdi["uuid"]
    typed: Draft = {"name": ""}
    with form(
        screen,
        t("disk.delete_title", name=name),
        t("do.disk_delete"),
        lambda: "" if typed["name"] == name else t("disk.type", name=name),
        is_danger=True,
    ) as asked:
        ui.label(t("disk.delete_lead", name=name, size=t.size(float(vdi["virtual_size"]))))
        text_field(t("disk.type", name=name), typed, "name", "autofocus")
    if await asked[0].is_filled() and _unused(screen, source, ref):
        screen.message(t("job.disk_delete", disk=name), connection, "VDI.destroy", ref)


async def add_card(screen: "Screen", found: Found) -> None:
    """A new network card."""
    connection, source, ref, vm = found
    t = screen.t
    networks = adding.networks_for(source)
    draft: Draft = {"network": next(iter(networks), ""), "mac": ""}
    title = t("card.title", name=vm["name_label"])
    with form(screen, title, t("do.card_add"), lambda: adding.why_no_card(draft, t)) as asked:
        choice(t("column.network"), networks, draft, "network")
        text_field(t("card.mac"), draft, "mac")
    if await asked[0].is_filled():
        screen.run(t("job.card_add", vm=vm["name_label"]), make_card(connection, ref, vm, draft))


async def remove_card(screen: "Screen", found: Found, ref: str) -> None:
    """Take a card out of the VM."""
    connection, source, _, vm = found
    vif = source.cache.find("vif", ref) if ref in vm["VIFs"] else None
    if vif is None:
        screen.tell(screen.t("empty.object"), failed=True)
    elif await confirm.ask(screen, "do.card_remove", "confirm.card_remove", vif["MAC"]):
        screen.run(screen.t("job.card_remove", mac=vif["MAC"]), take_away(connection, "VIF", ref))


async def make_disk(connection: Connection, vm_ref: str, vm: Record, draft: Draft) -> None:
    """Make a disk and attach it; a disk that cannot be attached is removed again."""
    disk = adding.new_disk(draft["name"], draft["note"], draft["sr"], adding.size_of(draft["size_gib"]))
    vdi = await connection.work("VDI.create", disk)
    async with undone(connection, "VDI.destroy", vdi):
        await attach(connection, vm_ref, vm, vdi, is_owner=True)


async def attach(connection: Connection, vm_ref: str, vm: Record, vdi: str, *, is_owner: bool) -> None:
    """Give a VM a disk, at once when it runs; a drive that its guest cannot be given is removed again."""
    positions = await connection.call("VM.get_allowed_VBD_devices", vm_ref)
    drive = {
        "VM": vm_ref,
        "VDI": vdi,
        "userdevice": min(positions, key=int) if positions else "autodetect",
        "bootable": False,
        "mode": "RW",
        "type": "Disk",
        "unpluggable": True,
        "empty": False,
        "other_config": {"owner": ""} if is_owner else {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }
    await _plugged(connection, "VBD", await connection.work("VBD.create", drive), vm_ref)


async def make_card(connection: Connection, vm_ref: str, vm: Record, draft: Draft) -> None:
    """Give a VM a card, at once when it runs."""
    positions = await connection.call("VM.get_allowed_VIF_devices", vm_ref)
    card: dict[str, Any] = {
        "device": min(positions, key=int) if positions else "0",
        "network": draft["network"],
        "VM": vm_ref,
        "MAC": draft["mac"].strip().lower(),
        "MTU": 1500,
        "other_config": {},
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
    }
    await _plugged(connection, "VIF", await connection.work("VIF.create", card), vm_ref)


async def _plugged(connection: Connection, cls: str, ref: str, vm_ref: str) -> None:
    async with undone(connection, f"{cls}.destroy", ref):
        if await connection.call("VM.get_power_state", vm_ref) == "Running":
            await connection.work(f"{cls}.plug", ref)


async def take_away(connection: Connection, cls: str, ref: str) -> None:
    """Take a drive or card out of its VM, from a guest that runs first."""
    if await connection.call(f"{cls}.get_currently_attached", ref):
        await connection.work(f"{cls}.unplug", ref)
    await connection.work(f"{cls}.destroy", ref)


def _unused(screen: "Screen", source: Source, ref: str) -> Record | None:
    """A disk that no VM has now; the person is told when it is gone, or one has it."""
    vdi = source.cache.find("vdi", ref)
    if vdi is None or source.cache.find("vbd", next(iter(vdi["VBDs"]), NULL)) is not None:
        screen.tell(screen.t("disk.is_used" if vdi else "empty.object"), failed=True)
        return None
    return vdi


def _drive(source: Source, vm: Record, ref: str) -> tuple[Record | None, str]:
    """A drive of the VM, and the name of the disk in it."""
    vbd = source.cache.find("vbd", ref) if ref in vm["VBDs"] else None
    vdi = source.cache.find("vdi", vbd["VDI"]) if vbd else None
    return vbd, str(vdi["name_label"] or vdi["uuid"]) if vdi else str(vbd["userdevice"]) if vbd else ""
