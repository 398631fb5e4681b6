"""Facts as LVM tags. Pure; what goes in comes out, whatever its characters and its length.

A tag is a mark (`cardume.vdi`) or a fact (`name_label=backup`). LVM allows `[A-Za-z0-9_+.-/=!:&#]` only and no tag
longer than 1024; so any other byte of the UTF-8 text is written `&XX`, and a long value goes on in numbered tags:
`name_description.0=…`, `name_description.1=…`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LONGEST_TAG = 1000
LONGEST_KEY = 200

_AS_THEY_ARE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/!:#")
_IN_VALUES = _AS_THEY_ARE | frozenset(b".=")
_FACT = re.compile(r"([^.=]+)(?:\.(0|[1-9][0-9]{0,4}))?=(.*)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9_+.\-/=!:#]*")
_QUOTED = re.compile(r"&([0-9A-F]{2})|([^&])")
_MARK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.\-/!:#]*")


@dataclass(frozen=True, slots=True)
class Tagged:
    """What the tags of a group or a volume say."""

    marks: frozenset[str] = frozenset()
    facts: Mapping[str, str] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()  # facts of which something is missing or damaged


def to_tags(marks: Iterable[str] = (), facts: Mapping[str, str] | None = None) -> frozenset[str]:
    """The tags that say this; ValueError for a mark or a key that cannot be one."""
    tags = set()
    for mark in marks:
        if not _MARK.fullmatch(mark) or len(mark) > LONGEST_TAG:
            raise ValueError(f"{mark!r} cannot be an LVM tag")
        tags.add(mark)
    for key, value in (facts or {}).items():
        tags.update(_fact_tags(key, value))
    return frozenset(tags)


def from_tags(tags: Iterable[str]) -> Tagged:
    """What tags say; tags of anybody else's are marks, or unread."""
    marks: set[str] = set()
    parts: dict[str, dict[int | None, str]] = {}
    for tag in tags:
        fact = _FACT.fullmatch(tag)
        if fact is None:
            marks.add(tag)
        else:
            number = int(fact[2]) if fact[2] is not None else None
            parts.setdefault(fact[1], {})[number] = fact[3]
    facts: dict[str, str] = {}
    unread: set[str] = set()
    for quoted_key, pieces in parts.items():
        key, value = _unquoted(quoted_key), _joined(pieces)
        if key is None or value is None:
            unread.add(quoted_key)
        else:
            facts[key] = value
    return Tagged(frozenset(marks), facts, frozenset(unread))


def changed_tags(old: Iterable[str], new: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """(to add, to remove), so that the old become the new."""
    old, new = frozenset(old), frozenset(new)
    return new - old, old - new


def _fact_tags(key: str, value: str) -> list[str]:
    quoted_key = _quoted(key, _AS_THEY_ARE)
    if quoted_key.startswith("-"):  # LVM takes no tag that begins so
        quoted_key = "&2D" + quoted_key[1:]
    if not key or len(quoted_key) > LONGEST_KEY:
        raise ValueError(f"{key!r} cannot be the key of a fact")
    quoted = _quoted(value, _IN_VALUES)
    if len(quoted_key) + 1 + len(quoted) <= LONGEST_TAG:
        return [f"{quoted_key}={quoted}"]
    step = LONGEST_TAG - LONGEST_KEY - 10
    return [f"{quoted_key}.{begin // step}={quoted[begin : begin + step]}" for begin in range(0, len(quoted), step)]


def _joined(pieces: Mapping[int | None, str]) -> str | None:
    if None in pieces:
        return _unquoted(pieces[None]) if len(pieces) == 1 else None
    if set(pieces) != set(range(len(pieces))):
        return None
    return _unquoted("".join(pieces[number] for number in range(len(pieces))))


def _quoted(text: str, as_they_are: frozenset[int]) -> str:
    return "".join(
        chr(byte) if byte in as_they_are else f"&{byte:02X}" for byte in text.encode("utf-8", "surrogatepass")
    )


def _unquoted(quoted: str) -> str | None:
    if _PLAIN.fullmatch(quoted):
        return quoted
    pieces, position = bytearray(), 0
    for found in _QUOTED.finditer(quoted):
        if found.start() != position or (found[2] is not None and not found[2].isascii()):
            return None
        pieces += bytes.fromhex(found[1]) if found[1] is not None else found[2].encode()
        position = found.end()
    if position != len(quoted):
        return None
    try:
        return pieces.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
