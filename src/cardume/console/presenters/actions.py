"""What may be done with an object, and why not what may not: read from what the server allows, never guessed."""

from collections.abc import Iterator
from dataclasses import dataclass

from cardume.console.connections.cache import Record
from cardume.console.presenters.files import takes_disks
from cardume.console.presenters.ha_settings import why_not_configurable
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts


@dataclass(frozen=True, slots=True)
class Action:
    """A button: what it does, and why it cannot be pressed (empty when it can)."""

    key: str
    label: str
    why_not: str = ""
    is_main: bool = False
    is_danger: bool = False


def root_actions(sources: list[Source], t: Texts) -> list[Action]:
    """What the machine room as a whole offers."""
    alone = [source for source in sources if source.is_standalone and source.connected]
    why = "" if alone else t("why.no_standalone")
    return [Action("add_server", t("do.add_server"), is_main=True), Action("new_pool", t("do.new_pool"), why)]


def pool_actions(source: Source, t: Texts) -> list[Action]:
    """What a pool offers."""
    away = _away(source, t)
    return [
        Action("new_storage", t("do.new_storage"), away, is_main=True),
        Action("new_vm", t("do.new_vm"), away or _no_template(source, t), is_main=True),
        Action("vm_import", t("do.vm_import"), away),
        *_ha_actions(source, away, t),
        Action("properties", t("do.properties"), away),
        Action("disconnect", t("do.disconnect")),
    ]


def _ha_actions(source: Source, away: str, t: Texts) -> list[Action]:
    why = away or why_not_configurable(source, t)
    actions = [Action("ha_configure", t("do.ha_configure"), why)]
    if source.pool is not None and source.pool["ha_enabled"]:
        actions.append(Action("ha_disable", t("do.ha_disable"), why))
    return actions


def host_actions(source: Source, ref: str, host: Record, t: Texts) -> list[Action]:
    """What a server offers."""
    away = _away(source, t)
    lost = away or ("" if source.is_live(host) else t("why.host_lost"))
    actions = []
    if source.is_standalone:
        actions += [
            Action("new_storage", t("do.new_storage"), lost, is_main=True),
            Action("new_vm", t("do.new_vm"), lost or _no_template(source, t), is_main=True),
            Action("vm_import", t("do.vm_import"), lost),
        ]
    if host["enabled"]:
        actions.append(Action("host_disable", t("do.host_disable"), lost))
    else:
        actions.append(Action("host_enable", t("do.host_enable"), lost, is_main=True))
    actions.append(Action("properties", t("do.properties"), away))
    if source.is_standalone:
        actions.append(Action("disconnect", t("do.disconnect")))
    return actions


_VM_OPERATIONS = (  # key, operation that must be allowed, states it is shown in, main, danger
    ("start", "start", ("Halted",), True, False),
    ("resume", "resume", ("Suspended",), True, False),
    ("unpause", "unpause", ("Paused",), True, False),
    ("clean_shutdown", "clean_shutdown", ("Running",), True, False),
    ("clean_reboot", "clean_reboot", ("Running",), True, False),
    ("suspend", "suspend", ("Running",), False, False),
    ("migrate", "pool_migrate", ("Running",), True, False),
    ("hard_shutdown", "hard_shutdown", ("Running", "Paused", "Suspended"), False, True),
    ("hard_reboot", "hard_reboot", ("Running", "Paused"), False, True),
    ("move", "", ("Halted",), False, False),
    ("vm_export", "export", ("Halted", "Suspended"), False, False),  # of one that runs: its snapshots
    ("delete_vm", "destroy", ("Halted", "Running", "Paused", "Suspended"), False, True),
)


def vm_actions(source: Source, vm: Record, t: Texts) -> list[Action]:
    """What a VM offers in its state."""
    away = _away(source, t)
    operations = [
        Action(key, t(f"do.{key}"), away or _why_no_operation(source, vm, key, operation, t), main, danger)
        for key, operation, states, main, danger in _VM_OPERATIONS
        if vm["power_state"] in states
    ]
    return [*operations, Action("properties", t("do.properties"), away)]


def tab_actions(source: Source, kind: str, record: Record, tab: str, t: Texts) -> list[Action]:
    """What the table of a tab offers."""
    away = _away(source, t)
    if (kind, tab) == ("sr", "disks"):
        return [Action("disk_import", t("do.disk_import"), away or _why_no_disks(source, record, t))]
    return [Action(key, t(f"do.{key}"), away) for key in _TAB_ACTIONS.get((kind, tab), ())]


def _why_no_disks(source: Source, sr: Record, t: Texts) -> str:
    if sr["content_type"] == "iso":
        return t("why.sr_library")
    return "" if takes_disks(source, sr) else t("why.sr_detached")


_TAB_ACTIONS = {
    ("vm", "storage"): ("disk_add", "disk_attach"),
    ("vm", "networking"): ("card_add",),
    ("pool", "networking"): ("network_add",),
    ("host", "networking"): ("network_add",),
    ("host", "nics"): ("bond_add",),
    ("pool", "users"): ("user_add",),
    ("host", "users"): ("user_add",),
}


def _why_no_operation(source: Source, vm: Record, key: str, operation: str, t: Texts) -> str:
    busy = next(iter(vm["current_operations"].values()), None)
    if busy:
        return t("why.busy", doing=t(f"doing.{busy}") if t.has(f"doing.{busy}") else busy)
    if key == "migrate" and len(source.cache.all("host")) < 2:
        return t("why.one_host")
    if key == "move":
        disks = [vdi for vbd, vdi in source.disks(vm) if vbd["type"] == "Disk" and vdi]
        return "" if disks else t("why.no_disks")
    if operation in vm["allowed_operations"]:
        return ""
    if operation in vm["blocked_operations"]:
        return t("why.blocked", reason=vm["blocked_operations"][operation])
    if key == "delete_vm":
        return t("why.not_halted")
    if operation in ("clean_shutdown", "clean_reboot"):
        return t("why.no_tools")
    return t("why.not_allowed")


def sr_actions(source: Source, ref: str, sr: Record, t: Texts) -> list[Action]:
    """What a repository offers: detach before forget, forget before it is somebody else's."""
    away = _away(source, t)
    pbds = source.pbds(sr)
    attached = [pbd for _, pbd in pbds if pbd["currently_attached"]]
    is_default = source.pool is not None and source.pool["default_SR"] == ref
    holds_disks = sr["content_type"] != "iso"
    actions = [Action("sr_scan", t("do.sr_scan"), away or ("" if attached else t("why.sr_detached")), is_main=True)]
    if len(attached) < max(len(pbds), len(source.cache.all("host")) if sr["shared"] else 1):
        actions.append(Action("sr_repair", t("do.sr_repair" if attached else "do.sr_attach"), away, is_main=True))
    if holds_disks and not is_default:
        actions.append(Action("sr_default", t("do.sr_default"), away or ("" if attached else t("why.sr_detached"))))
    if attached:
        users = ", ".join(vm["name_label"] for vm in running_users(source, sr))
        actions.append(Action("sr_detach", t("do.sr_detach"), away or (t("why.sr_used", vms=users) if users else "")))
    wants_detach = t("why.sr_attached") if attached else ""
    actions.append(Action("sr_forget", t("do.sr_forget"), away or wants_detach, is_danger=True))
    actions.append(Action("properties", t("do.properties"), away))
    return actions


def running_users(source: Source, sr: Record) -> list[Record]:
    """The VMs that run with a disk of a repository."""
    found = {}
    for _, vdi in source.cache.each("vdi", sr["VDIs"]):
        for _, vbd in source.cache.each("vbd", vdi["VBDs"]):
            vm = source.cache.find("vm", vbd["VM"])
            if vm is not None and vm["power_state"] not in ("Halted", "Suspended") and vbd["currently_attached"]:
                found[vm["uuid"]] = vm
    return [*found.values()]


def templates(source: Source) -> Iterator[tuple[str, Record]]:
    """What a new VM can be made from: the ones with a disk of their own first, they boot as they are."""
    found = [
        (ref, vm)
        for ref, vm in source.cache.all("vm").items()
        if vm["is_a_template"] and not vm["is_a_snapshot"] and not vm["is_control_domain"]
    ]
    yield from sorted(found, key=lambda pair: (not pair[1]["VBDs"], pair[1]["name_label"].casefold()))


def _no_template(source: Source, t: Texts) -> str:
    return "" if next(templates(source), None) else t("why.no_template")


def _away(source: Source, t: Texts) -> str:
    return "" if source.connected else t("why.away")
