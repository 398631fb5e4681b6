"""Properties: what of an object may be changed, and the messages that a change stands for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from cardume.console.connections.cache import Record
from cardume.console.text.catalogue import Texts

CLASSES = {"pool": "pool", "host": "host", "vm": "VM", "sr": "SR"}
_MIB = 1 << 20
MOST_VCPUS = 254


@dataclass(frozen=True, slots=True)
class Change:
    """A message that makes a part of the change, without the object's reference."""

    method: str
    params: tuple[Any, ...]


def properties_of(kind: str, record: Record) -> dict[str, str]:
    """The values as a person reads and types them. Memory and processors of a VM only while it is halted."""
    found = {
        "name": str(record["name_label"]),
        "note": str(record["name_description"]),
        "tags": ", ".join(record["tags"]),
    }
    if kind == "vm" and record["power_state"] == "Halted":
        found["memory_mib"] = str(int(record["memory_dynamic_max"]) // _MIB)
        found["vcpus"] = str(int(record["VCPUs_at_startup"]))
    return found


def why_not(typed: Mapping[str, str], t: Texts) -> str:
    """What is wrong with the values that were typed; empty when nothing is."""
    if not typed["name"].strip():
        return t("why.no_name")
    if "memory_mib" in typed and not _is_between(typed["memory_mib"], 16, 16 << 20):
        return t("properties.bad_memory")
    if "vcpus" in typed and not _is_between(typed["vcpus"], 1, MOST_VCPUS):
        return t("properties.bad_vcpus", most=MOST_VCPUS)
    return ""


def changes(kind: str, record: Record, shown: Mapping[str, str], typed: Mapping[str, str]) -> list[Change]:
    """The messages for what differs from what was shown: what a person left alone is not sent."""
    cls = CLASSES[kind]
    simple = (("name", f"{cls}.set_name_label"), ("note", f"{cls}.set_name_description"))
    found = [
        Change(method, (typed[key].strip(),)) for key, method in simple if typed[key].strip() != shown[key].strip()
    ]
    if tags_in(typed["tags"]) != tags_in(shown["tags"]):
        found.append(Change(f"{cls}.set_tags", (tags_in(typed["tags"]),)))
    if typed.get("memory_mib") != shown.get("memory_mib"):
        found.append(_memory(record, int(typed["memory_mib"]) * _MIB))
    if typed.get("vcpus") != shown.get("vcpus"):
        found += _vcpus(record, int(typed["vcpus"]))
    return found


def tags_in(text: str) -> list[str]:
    """The tags in a text with commas, each once."""
    return [*dict.fromkeys(filter(None, (word.strip() for word in text.split(","))))]


def commands(kind: str, record: Record, changed: list[Change]) -> Iterator[str]:
    """The same as `xe` commands."""
    names = {"set_name_label": "name-label", "set_name_description": "name-description"}
    for change in changed:
        cls, message = change.method.split(".")
        key = names.get(message)
        if key:
            yield f"xe {cls.lower()}-param-set uuid={record['uuid']} {key}={quote(change.params[0])}"
        elif message == "set_tags":
            yield f"xe {cls.lower()}-param-set uuid={record['uuid']} tags={quote(','.join(change.params[0]))}"
        elif message == "set_memory_limits":
            low, most, least, given = change.params
            limits = f"static-min={low} static-max={most} dynamic-min={least} dynamic-max={given}"
            yield f"xe vm-memory-limits-set uuid={record['uuid']} {limits}"
        else:
            field = message.removeprefix("set_").replace("_", "-")
            yield f"xe vm-param-set uuid={record['uuid']} {field}={change.params[0]}"


def _memory(record: Record, size_bytes: int) -> Change:
    least = min(int(record["memory_static_min"]), size_bytes)
    return Change("VM.set_memory_limits", (least, size_bytes, size_bytes, size_bytes))


def _vcpus(record: Record, count: int) -> list[Change]:
    """Most and at startup, in the order in which neither passes the other on the way."""
    most, at_startup = Change("VM.set_VCPUs_max", (count,)), Change("VM.set_VCPUs_at_startup", (count,))
    return [most, at_startup] if count > int(record["VCPUs_max"]) else [at_startup, most]


def _is_between(text: str, least: int, most: int) -> bool:
    return text.strip().isdecimal() and least <= int(text) <= most
