"""What may be done with several VMs at once: which of them it is for, and why not the others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cardume.console.connections.cache import Record
from cardume.console.presenters.actions import Action, vm_actions
from cardume.console.presenters.places import ROOT, Place
from cardume.console.presenters.sources import Source
from cardume.console.presenters.states import vm_state
from cardume.console.text.catalogue import Texts

OPERATIONS = ("start", "resume", "clean_shutdown", "suspend", "hard_shutdown")


@dataclass(frozen=True)
class Chosen:
    """A VM that was ticked."""

    source: Source
    ref: str
    vm: Record

    @property
    def name(self) -> str:
        return str(self.vm["name_label"])

    @property
    def path(self) -> str:
        """Where it is shown, and what it is ticked by."""
        return Place("vm", self.source.uuid, self.vm["uuid"]).path


@dataclass(frozen=True)
class Split:
    """The VMs that an operation is for, and the names of the others with the reason."""

    able: tuple[Chosen, ...]
    left_out: tuple[tuple[str, str], ...]


def chosen_of(sources: Sequence[Source], ticked: Collection[str], place: Place = ROOT) -> list[Chosen]:
    """The VMs that were ticked, are there, and are listed at a place, by name."""
    within = (source for source in sources if ticked and place.pool in ("", source.uuid))
    every = (Chosen(source, ref, vm) for source in within for ref, vm in source.vms())
    found = (one for one in every if one.path in ticked and _is_listed(one, place))
    return sorted(found, key=lambda one: one.name.casefold())


def split(chosen: Sequence[Chosen], key: str, t: Texts) -> Split:
    """Which VMs an operation is for now."""
    able, left_out = [], []
    for one in chosen:
        why = _why_not(one, key, t)
        if why:
            left_out.append((one.name, why))
        else:
            able.append(one)
    return Split(tuple(able), tuple(left_out))


def bulk_actions(chosen: Sequence[Chosen], t: Texts) -> list[Action]:
    """The buttons above a list with ticked VMs; each tells how many it is for."""
    found = []
    for key in OPERATIONS:
        count = len(split(chosen, key, t).able)
        why = "" if count else t("bulk.none_able")
        found.append(Action(f"bulk_{key}", t("bulk.do", do=t(f"do.{key}"), n=count), why, is_danger=key[:4] == "hard"))
    return [*found, Action("choose_none", t("bulk.clear"))]


def _is_listed(one: Chosen, place: Place) -> bool:
    """A server's page lists the VMs of that server alone."""
    host = one.source.cache.find("host", one.source.home_of(one.vm))
    return place.kind != "host" or (host is not None and host["uuid"] == place.uuid)


def _why_not(one: Chosen, key: str, t: Texts) -> str:
    offered = {action.key: action.why_not for action in vm_actions(one.source, one.vm, t)}
    return offered.get(key, vm_state(one.vm, t).text)  # what is not offered is for another state
