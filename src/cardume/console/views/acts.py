"""What buttons do: each key of an action, and the dialog or message that it stands for."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.failures import Refused, Unreachable
from cardume.console.presenters.alerts import Alert, alerts_page, as_csv
from cardume.console.presenters.refusals import explain_failure
from cardume.console.presenters.sources import Source
from cardume.console.views import (
    add_server,
    bonds,
    bulk,
    confirm,
    delete_vm,
    devices,
    exchange,
    ha,
    migrate,
    move_vm,
    networks,
    new_pool,
    new_storage,
    new_vm,
    properties,
    snapshots,
    users,
)

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

Found = tuple[Connection, Source, str, Record]
ObjectAct = Callable[["Screen", Found], Awaitable[None]]

_AT_ONCE = {"start": (False, False), "resume": (False, False), "unpause": (), "hard_reboot": ()}
_ASKED = ("clean_shutdown", "clean_reboot", "suspend", "hard_shutdown", "hard_reboot")


async def act(screen: "Screen", key: str, args: dict[str, Any]) -> None:
    """Do what a button asks for."""
    if key in bulk.ACTS:
        await bulk.act(screen, key.removeprefix("bulk_"))
        return
    if key in _PAGE_ACTS:
        await _PAGE_ACTS[key](screen, args)
        return
    found = screen.find_object()
    if found is None:
        screen.tell(screen.t("empty.object"), failed=True)
    elif screen.place.kind == "vm" and (key in _AT_ONCE or key in _ASKED):
        await _vm_operation(screen, found, key)
    elif key in _OBJECT_ACTS:
        await _OBJECT_ACTS[key](screen, found)
    elif key in _ROW_ACTS:
        await _ROW_ACTS[key](screen, found, str(args.get("ref")))


async def _vm_operation(screen: "Screen", found: Found, key: str) -> None:
    connection, _, ref, vm = found
    if key in _ASKED and not await confirm.ask(screen, f"do.{key}", f"confirm.{key}", vm["name_label"]):
        return
    title = screen.t("job.vm", do=screen.t(f"do.{key}"), name=vm["name_label"])
    screen.message(title, connection, f"VM.{key}", ref, *_AT_ONCE.get(key, ()))


async def _host_disable(screen: "Screen", found: Found) -> None:
    connection, _, ref, host = found
    if await confirm.ask(screen, "do.host_disable", "confirm.host_disable", host["name_label"]):
        screen.message(_host_title(screen, "host_disable", host), connection, "host.disable", ref)


async def _host_enable(screen: "Screen", found: Found) -> None:
    connection, _, ref, host = found
    screen.message(_host_title(screen, "host_enable", host), connection, "host.enable", ref)


def _host_title(screen: "Screen", key: str, host: Record) -> str:
    return screen.t("job.host", do=screen.t(f"do.{key}"), name=host["name_label"])


async def _disconnect(screen: "Screen", found: Found) -> None:
    connection, source, _, _ = found
    if await confirm.ask(screen, "do.disconnect", "confirm.disconnect", source.name):
        await screen.workspace.remove(connection)
        screen.go("/")


def _sr_title(screen: "Screen", key: str, sr: Record) -> str:
    return screen.t("job.sr", do=screen.t(f"do.{key}"), name=sr["name_label"])


async def _sr_scan(screen: "Screen", found: Found) -> None:
    connection, _, ref, sr = found
    screen.message(_sr_title(screen, "sr_scan", sr), connection, "SR.scan", ref)


async def _sr_attach(screen: "Screen", found: Found) -> None:
    connection, source, ref, sr = found

    async def attach() -> None:
        pbds = source.pbds(sr)
        reached = {pbd["host"] for _, pbd in pbds}
        for host in source.cache.all("host") if sr["shared"] and pbds else ():
            if host not in reached:
                link = {"host": host, "SR": ref, "device_config": pbds[0][1]["device_config"], "other_config": {}}
                await connection.work("PBD.plug", await connection.call("PBD.create", link))
        for pbd_ref, pbd in pbds:
            if not pbd["currently_attached"]:
                await connection.work("PBD.plug", pbd_ref)

    screen.run(_sr_title(screen, "sr_attach", sr), attach())


async def _sr_default(screen: "Screen", found: Found) -> None:
    connection, source, ref, sr = found
    assert source.pool is not None, "it has this repository"
    (pool,) = source.cache.all("pool")

    async def choose() -> None:
        for field in ("default_SR", "suspend_image_SR", "crash_dump_SR"):
            await connection.call(f"pool.set_{field}", pool, ref)

    screen.run(_sr_title(screen, "sr_default", sr), choose())


async def detach(connection: Connection, source: Source, sr: Record) -> None:
    """Detach a repository from every host, from the master last."""
    pbds = sorted(source.pbds(sr), key=lambda pair: source.is_master(pair[1]["host"]))
    for ref, pbd in pbds:
        if pbd["currently_attached"]:
            await connection.work("PBD.unplug", ref)


async def _sr_detach(screen: "Screen", found: Found) -> None:
    connection, source, _, sr = found
    if await confirm.ask(screen, "do.sr_detach", "confirm.sr_detach", sr["name_label"]):
        screen.run(_sr_title(screen, "sr_detach", sr), detach(connection, source, sr))


async def _sr_forget(screen: "Screen", found: Found) -> None:
    connection, _, ref, sr = found
    if await confirm.ask(screen, "do.sr_forget", "confirm.sr_forget", sr["name_label"]):
        screen.message(_sr_title(screen, "sr_forget", sr), connection, "SR.forget", ref)


async def _cancel_task(screen: "Screen", args: dict[str, Any]) -> None:
    connection = screen.workspace.find(str(args.get("pool")))
    if connection is not None:
        await _asked(screen, connection, "task.cancel", str(args.get("task")))


async def _alerts_filter(screen: "Screen", args: dict[str, Any]) -> None:
    name, value = str(args.get("filter")), str(args.get("value", ""))
    if name in ("severity", "since") and not value.isdecimal():
        value = ""
    screen.filters[name] = value
    screen.refresh()


async def _alert_dismiss(screen: "Screen", args: dict[str, Any]) -> None:
    connection = screen.workspace.find(str(args.get("pool")))
    if connection is not None:
        await _asked(screen, connection, "message.destroy", str(args.get("ref")))


async def _alerts_dismiss_all(screen: "Screen", _: dict[str, Any]) -> None:
    shown = alerts_page(screen.sources, screen.filters, screen.t, screen.now).shown
    if not await confirm.ask(screen, "alerts.dismiss_all", "alerts.dismiss_lead", str(len(shown))):
        return

    screen.run(screen.t("alerts.dismiss_all"), _dismiss(screen, shown))


async def _dismiss(screen: "Screen", shown: Sequence[Alert]) -> None:
    for alert in shown:
        connection = screen.workspace.find(alert.pool)
        try:
            if connection is not None:
                await connection.call("message.destroy", alert.ref)
        except Refused as refused:
            if refused.code != "HANDLE_INVALID":  # somebody else has dismissed it
                raise


async def _alerts_export(screen: "Screen", _: dict[str, Any]) -> None:
    shown = alerts_page(screen.sources, screen.filters, screen.t, screen.now).shown
    ui.run_javascript(f"window.cardume.download('alerts.csv', {json.dumps(as_csv(shown, screen.t))})")


async def _asked(screen: "Screen", connection: Connection, method: str, *params: Any) -> None:
    try:
        await connection.call(method, *params)
    except (Refused, Unreachable) as failure:
        screen.tell(explain_failure(failure, screen.t), failed=True)


async def _add_server(screen: "Screen", _: dict[str, Any]) -> None:
    await add_server.show(screen)


async def _draft_go(screen: "Screen", _: dict[str, Any]) -> None:
    kept = screen.drafts.take()
    if kept is not None:
        await act(screen, kept.act, {})


async def _draft_forget(screen: "Screen", _: dict[str, Any]) -> None:
    screen.drafts.discard()


async def _new_pool(screen: "Screen", _: dict[str, Any]) -> None:
    new_pool.show(screen)


_PAGE_ACTS: dict[str, Callable[["Screen", dict[str, Any]], Awaitable[None]]] = {
    "add_server": _add_server,
    "new_pool": _new_pool,
    "draft_go": _draft_go,
    "draft_forget": _draft_forget,
    "cancel_task": _cancel_task,
    "choose": bulk.choose,
    "choose_none": bulk.choose_none,
    "alerts_filter": _alerts_filter,
    "alert_dismiss": _alert_dismiss,
    "alerts_dismiss_all": _alerts_dismiss_all,
    "alerts_export": _alerts_export,
}

_OBJECT_ACTS: dict[str, ObjectAct] = {
    "host_disable": _host_disable,
    "host_enable": _host_enable,
    "disconnect": _disconnect,
    "ha_configure": ha.configure,
    "ha_disable": ha.disable,
    "sr_scan": _sr_scan,
    "sr_repair": _sr_attach,
    "sr_default": _sr_default,
    "sr_detach": _sr_detach,
    "sr_forget": _sr_forget,
    "new_storage": new_storage.show,
    "new_vm": new_vm.show,
    "migrate": migrate.show,
    "move": move_vm.show,
    "delete_vm": delete_vm.show,
    "snapshot_take": snapshots.take,
    "properties": properties.show,
    "disk_add": devices.add_disk,
    "disk_attach": devices.attach_disk,
    "card_add": devices.add_card,
    "network_add": networks.add,
    "bond_add": bonds.add,
    "vm_export": exchange.export_vm,
    "vm_import": exchange.import_vm,
    "disk_import": exchange.import_disk,
    "user_add": users.add,
}

_ROW_ACTS: dict[str, Callable[["Screen", Found, str], Awaitable[None]]] = {
    "snapshot_revert": snapshots.revert,
    "snapshot_vm": snapshots.new_vm,
    "snapshot_export": exchange.export_snapshot,
    "snapshot_delete": snapshots.remove,
    "disk_export": exchange.export_disk,
    "disk_detach": devices.detach_disk,
    "disk_delete": devices.delete_disk,
    "card_remove": devices.remove_card,
    "network_remove": networks.remove,
    "bond_remove": bonds.remove,
    "user_role": users.change_role,
    "user_remove": users.remove,
}
