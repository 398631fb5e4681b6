"""The guest agent's answers as facts. Guests are not to be trusted: what has not the right shape is left out."""

import json
from collections.abc import Mapping
from typing import Any

from cardume.hostops.guests.guest import AgentFacts, GuestInterface

# The questions, each answered on its own: old agents do not know all of them.
QUESTIONS = ("guest-info", "guest-get-host-name", "guest-get-osinfo", "guest-network-get-interfaces")

_MAX_TEXT = 256
_MAX_INTERFACES = 32
_MAX_ADDRESSES = 32


def facts_from(replies: Mapping[str, str]) -> AgentFacts:
    """Facts from the agent's JSON replies, by question; missing questions leave their facts empty."""
    answers = {question: _answer(reply) for question, reply in replies.items()}
    os = _mapping(answers.get("guest-get-osinfo"))
    return AgentFacts(
        version=_text(_mapping(answers.get("guest-info")), "version"),
        hostname=_text(_mapping(answers.get("guest-get-host-name")), "host-name"),
        os_name=_text(os, "pretty-name"),
        os_id=_text(os, "id"),
        os_version=_text(os, "version-id"),
        kernel=_text(os, "kernel-release"),
        interfaces=_interfaces(answers.get("guest-network-get-interfaces")),
    )


def _answer(reply: str) -> object:
    try:
        return _mapping(json.loads(reply)).get("return")
    except ValueError:
        return None


def _interfaces(answer: object) -> tuple[GuestInterface, ...]:
    entries = [_mapping(entry) for entry in _sequence(answer)[:_MAX_INTERFACES]]
    return tuple(
        GuestInterface(
            name=_text(entry, "name"),
            mac=_text(entry, "hardware-address").lower(),
            ipv4=_addresses(entry, "ipv4"),
            ipv6=_addresses(entry, "ipv6"),
        )
        for entry in entries
        if _text(entry, "name") and _text(entry, "name") != "lo"
    )


def _addresses(interface: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    entries = [_mapping(entry) for entry in _sequence(interface.get("ip-addresses"))[:_MAX_ADDRESSES]]
    found = (_text(entry, "ip-address") for entry in entries if entry.get("ip-address-type") == kind)
    return tuple(address for address in found if address)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return "".join(c for c in value if c.isprintable())[:_MAX_TEXT] if isinstance(value, str) else ""
