"""New Pool: which of the connected servers can join the one that is to be master, and why not the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts


@dataclass(frozen=True, slots=True)
class Candidate:
    """A connected server in the dialog's list. `fix` names the way out that the dialog offers in place."""

    pool: str  # uuid of its (unnamed) pool
    name: str
    why_not: str = ""
    fix: str = ""


def masters(sources: Sequence[Source]) -> list[Source]:
    """The servers that may lead a new pool."""
    return [source for source in sources if source.is_standalone and source.connected]


def candidates(sources: Sequence[Source], master: Source, t: Texts) -> list[Candidate]:
    """Every connected server but the master, each with the first reason against it."""
    found = []
    for source in sources:
        if source.uuid == master.uuid or source.pool is None:
            continue
        for _, host in source.hosts():
            why, fix = _reason(source, master, t)
            found.append(Candidate(source.uuid, host["name_label"], why, fix))
    return found


def _reason(source: Source, master: Source, t: Texts) -> tuple[str, str]:
    if not source.connected:
        return t("join.away"), ""
    if not source.is_standalone:
        return t("join.in_pool", pool=source.name), ""
    ((_, host),), ((_, leader),) = source.hosts(), master.hosts()
    version = host["software_version"].get("product_version_text", "")
    if version != leader["software_version"].get("product_version_text", ""):
        return t("join.version", version=version), ""
    assert source.pool is not None, "asked above"
    assert master.pool is not None, "a master has told of itself"
    vendor = source.pool["cpu_info"].get("vendor", "")
    if vendor != master.pool["cpu_info"].get("vendor", ""):
        return t("join.vendor", vendor=vendor), ""
    running = [vm["name_label"] for _, vm in source.vms() if vm["power_state"] in ("Running", "Paused")]
    if running:
        return t("join.running", vms=", ".join(running)), "running"
    suspended = [vm["name_label"] for _, vm in source.vms() if vm["power_state"] == "Suspended"]
    if suspended:
        return t("join.suspended", vms=", ".join(suspended)), ""
    shared = [sr["name_label"] for _, sr in source.srs() if sr["shared"]]
    if shared:
        return t("join.shared", srs=", ".join(shared)), "shared"
    return "", ""


def calls(master: Source, name: str, description: str, members: Sequence[Source], username: str) -> list[str]:
    """The `xe` commands that the dialog stands for."""
    lines = [f"xe -s {_address(master)} pool-param-set uuid={master.uuid} name-label={quote(name)}"]
    if description:
        lines[0] += f" name-description={quote(description)}"
    for member in members:
        lines.append(
            f"xe -s {_address(member)} pool-join master-address={_address(master)} "
            f"master-username={quote(username)} master-password=…"
        )
    return lines


def _address(source: Source) -> str:
    return source.server.removesuffix(":443")
