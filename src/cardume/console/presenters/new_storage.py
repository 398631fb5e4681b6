"""New Storage: the wizard's draft, what is wrong with it, and what it stands for in XenAPI and in `xe`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any
from xml.etree import ElementTree

from cardume.console.connections.failures import Refused
from cardume.console.presenters.drafts import taken
from cardume.console.text.catalogue import Texts

KINDS = ("lvmoiscsi", "nfs", "iso", "ext")


@dataclass(frozen=True, slots=True)
class Iqn:
    """A target that a portal offers."""

    name: str
    portal: str


@dataclass(frozen=True, slots=True)
class Lun:
    """A LUN that a target offers."""

    number: str
    serial: str
    size_bytes: int
    vendor: str
    scsi_id: str


@dataclass
class Draft:
    """What was typed and chosen so far."""

    kind: str = KINDS[0]
    name: str = ""
    describe_by_settings: bool = True
    note: str = ""
    target: str = ""
    port: str = "3260"
    chap: bool = False
    chap_user: str = ""
    chap_password: str = ""
    iqn: str = ""
    lun: Lun | None = None
    share: str = ""
    path: str = "/var/lib/cardume/sr/more"
    host: str = ""  # reference, for a local folder
    host_name: str = ""
    found: str = ""  # uuid of the repository that is there already
    reattach: bool = False

    @property
    def is_shared(self) -> bool:
        return self.kind != "ext"


_KEPT = ("kind", "name", "describe_by_settings", "note", "target", "port", "chap", "chap_user", "share", "path", "host")


def typed(draft: Draft) -> dict[str, Any]:
    """What a browser may keep: no password, and nothing that was found, as that is looked for anew."""
    return {key: getattr(draft, key) for key in _KEPT}


def typed_again(draft: Draft, values: Mapping[str, Any], hosts: Mapping[str, str]) -> Draft:
    """The draft with what a browser kept of an earlier one. `hosts`: names by reference."""
    known = taken(values, typed(draft))
    if known.get("kind", draft.kind) not in KINDS:
        del known["kind"]
    if known.get("host", draft.host) not in hosts:
        del known["host"]
    filled = replace(draft, **known)
    return replace(filled, host_name=hosts[filled.host])


def why_no_name(draft: Draft, t: Texts) -> str:
    """What is wrong with the name; empty when nothing is."""
    return "" if draft.name.strip() else t("sr.no_name")


def why_no_scan(draft: Draft, t: Texts) -> str:
    """What keeps the target from being scanned."""
    if not draft.target.strip():
        return t("sr.no_target")
    if not draft.port.isdecimal() or not 0 < int(draft.port) < 65536:
        return t("sr.bad_port")
    return t("sr.no_chap") if draft.chap and not draft.chap_user else ""


def why_no_location(draft: Draft, t: Texts) -> str:
    """What is wrong with the place."""
    match draft.kind:
        case "lvmoiscsi":
            return why_no_scan(draft, t) or ("" if draft.iqn and draft.lun else t("sr.choose_lun"))
        case "nfs" | "iso":
            server, _, path = draft.share.strip().partition(":/")
            return "" if server and path else t("sr.bad_share")
    return "" if draft.path.strip().startswith("/") and len(draft.path.strip()) > 1 else t("sr.bad_path")


def device_config(draft: Draft) -> dict[str, str]:
    """What reaches the place, as far as it is known."""
    match draft.kind:
        case "lvmoiscsi":
            config = {"target": draft.target.strip(), "port": draft.port}
            if draft.chap:
                config |= {"chapuser": draft.chap_user, "chappassword": draft.chap_password}
            if draft.iqn:
                config["targetIQN"] = draft.iqn
            if draft.lun is not None:
                config["SCSIid"] = draft.lun.scsi_id
            return config
        case "nfs":
            server, _, path = draft.share.strip().partition(":")
            return {"server": server, "serverpath": path}
        case "iso":
            return {"location": draft.share.strip(), "type": "nfs_iso"}
    return {"location": draft.path.strip()}


def description(draft: Draft, t: Texts) -> str:
    """The repository's description: by its settings, unless something else was typed."""
    if not draft.describe_by_settings:
        return draft.note
    lun = draft.lun.number if draft.lun else "?"
    return t(
        f"sr.auto_text.{draft.kind}",
        target=draft.target.strip(),
        iqn=draft.iqn,
        lun=lun,
        share=draft.share.strip(),
        path=draft.path.strip(),
        host=draft.host_name,
    )


def lun_text(lun: Lun, t: Texts) -> str:
    """A LUN as people know it from XenCenter: number, serial, size, vendor."""
    return t("sr.lun_text", n=lun.number, serial=lun.serial, size=t.size(lun.size_bytes), vendor=lun.vendor)


def what_names(lun: Lun) -> str:
    """What is typed to have a LUN formatted: its serial number, or its SCSI id when its target tells none."""
    return lun.serial or lun.scsi_id


def why_not_sure(lun: Lun, typed: str, t: Texts) -> str:
    """What keeps a LUN from being formatted; empty when it was named."""
    if typed.strip() and typed.strip() == what_names(lun):
        return ""
    return t("sr.format_confirm", lun=lun_text(lun, t), serial=what_names(lun))


def choose_kind(draft: Draft, kind: str, taken: Sequence[str], t: Texts) -> None:
    """Make it another kind of repository, with that kind's name unless one was typed."""
    if draft.name in ("", unique_name(draft.kind, taken, t)):
        draft.name = unique_name(kind, taken, t)
    draft.kind = kind


def unique_name(kind: str, taken: Sequence[str], t: Texts) -> str:
    """The name that a kind of repository is given by default, with a number when it is taken."""
    base = t(f"sr.default.{kind}")
    return next(name for n in range(len(taken) + 2) if (name := f"{base} {n}" if n else base) not in taken)


def call(draft: Draft, t: Texts, *, overwrite: bool = False) -> str:
    """The `xe` command that the wizard stands for; passwords are left out."""
    config = device_config(draft) | ({"overwrite": "true"} if overwrite else {})
    shown = " ".join(
        f"device-config:{key}={'…' if 'password' in key else quote(value)}" for key, value in config.items()
    )
    if draft.reattach:
        return f"xe sr-introduce uuid={draft.found} type={draft.kind} name-label={quote(draft.name)} shared=true"
    content = " content-type=iso" if draft.kind == "iso" else ""
    shared = str(draft.is_shared).lower()
    return f"xe sr-create type={draft.kind}{content} name-label={quote(draft.name)} shared={shared} {shown}"


def offered_iqns(refused: Refused) -> list[Iqn]:
    """The targets in a probe's refusal that lists them; the refusal itself when it is about something else."""
    return [
        Iqn(_text(target, "TargetIQN"), f"{_text(target, 'IPAddress')}:{_text(target, 'Port') or 3260}")
        for target in _listed(refused, "SR_BACKEND_FAILURE_96", "TGT")
    ]


def offered_luns(refused: Refused) -> list[Lun]:
    """The LUNs in a probe's refusal that lists them."""
    return [
        Lun(
            _text(lun, "LUNid"),
            _text(lun, "serial"),
            int(_text(lun, "size") or 0),
            _text(lun, "vendor"),
            _text(lun, "SCSIid"),
        )
        for lun in _listed(refused, "SR_BACKEND_FAILURE_107", "LUN")
    ]


def found_repositories(answer: str) -> list[str]:
    """The uuids of repositories in a probe's answer."""
    try:
        return [_text(sr, "UUID") for sr in ElementTree.fromstring(answer).iter("SR")]
    except ElementTree.ParseError:
        return []


def _listed(refused: Refused, code: str, tag: str) -> Iterator[ElementTree.Element]:
    if refused.code != code or len(refused.details) < 4:
        raise refused
    try:
        yield from ElementTree.fromstring(refused.details[3]).iter(tag)
    except ElementTree.ParseError:
        raise refused from None


def _text(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(name) or "").strip()
