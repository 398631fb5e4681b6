"""What was typed into a wizard, as a browser keeps it over a restart of the console, and as it is taken back.

Passwords are never among it, nor what confirms that one is sure. What comes back is a text from outside: every value
is looked at before it fills a field.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cardume.console.presenters.actions import Action, host_actions, pool_actions, root_actions, vm_actions
from cardume.console.presenters.places import Place, read_place
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts

WIZARDS = ("new_storage", "new_vm", "new_pool", "move", "ha_configure")
MOST_CHARACTERS = 128 << 10


@dataclass(frozen=True, slots=True)
class Kept:
    """A wizard that was open: the act that opens it, where, whose it is, and what was typed."""

    act: str
    path: str
    owner: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Offer:
    """The line that offers to go on. `why_not`: what keeps the wizard from being opened now."""

    text: str
    why_not: str


def as_text(kept: Kept) -> str:
    """What the browser keeps."""
    return json.dumps(asdict(kept))


def read_kept(text: object, owner: str) -> Kept | None:
    """What a browser has kept; None when that is nothing, nothing of ours, or another person's."""
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or set(found) != {"act", "path", "owner", "values"}:
        return None
    if found["act"] not in WIZARDS or found["owner"] != owner or not isinstance(found["path"], str):
        return None
    place = read_place(found["path"])
    if place.kind == "nowhere" or not isinstance(found["values"], dict):
        return None
    return Kept(found["act"], place.path, owner, found["values"])


def taken(values: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Of what was kept the values that a draft has too, each of the same type as there."""
    return {key: values[key] for key in known if key in values and type(values[key]) is type(known[key])}


def offer(kept: Kept, sources: list[Source], t: Texts) -> Offer:
    """The line about a wizard that was open."""
    place = read_place(kept.path)
    listed, name = _at(place, sources, t)
    action = next((one for one in listed if one.key == kept.act), None)
    do = t(f"do.{kept.act}")
    text = t("draft.offer", do=do) if not name else t("draft.offer_at", do=do, name=name)
    return Offer(text, t("draft.gone") if action is None else action.why_not)


def _at(place: Place, sources: list[Source], t: Texts) -> tuple[list[Action], str]:
    """What can be done at a place now, and the name of the object."""
    if place.kind == "root":
        return root_actions(sources, t), ""
    for source in sources:
        ref = source.cache.find_ref(place.kind, place.uuid) if source.uuid == place.pool else None
        record = source.cache.find(place.kind, ref) if ref else None
        if ref is None or record is None:
            continue
        match place.kind:
            case "pool":
                return pool_actions(source, t), source.name
            case "host":
                return host_actions(source, ref, record, t), record["name_label"]
            case "vm":
                return vm_actions(source, record, t), record["name_label"]
    return [], ""
