"""LVM's text metadata as nested values. Pure; bounded, because the text may come from anybody's disk."""

import re
from typing import TypeAlias

from cardume.hostops.storage.lvm.errors import DamagedMetadata

Scalar: TypeAlias = int | float | str
Value: TypeAlias = Scalar | tuple[Scalar, ...]
Section: TypeAlias = dict[str, "Value | Section"]

LONGEST_TEXT = 64 << 20
DEEPEST = 16

# Nothing here can be matched in two ways and every repetition keeps what it took (`*+`), so that hostile text costs
# no more than its length.
_SPACE = r"(?:[\s\0]++|\#[^\n]*+)*+"
_STRING = r'"(?:[^"\\]|\\.)*+"'
_NUMBER = r"[+-]?[0-9]{1,20}(?:\.[0-9]{0,20})?(?![\w.])"
_STATEMENT = re.compile(
    rf"""{_SPACE}(?:
        (?P<close>\}}) |
        (?P<end>\Z) |
        (?P<key>[\w.+\-/!:&@]++|{_STRING}){_SPACE}(?:
            (?P<open>\{{) |
            ={_SPACE}(?: (?P<scalar>{_STRING}|{_NUMBER}) | (?P<array>\[) )
        )
    )""",
    re.VERBOSE | re.DOTALL,
)
_ITEM = re.compile(
    rf"{_SPACE}(?: (?P<scalar>{_STRING}|{_NUMBER}){_SPACE}(?:,|(?P<last>\])) | (?P<none>\]) )", re.VERBOSE | re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_text(data: bytes) -> Section:
    """The whole text as nested sections; DamagedMetadata when it is not what LVM writes."""
    if len(data) > LONGEST_TEXT:
        raise DamagedMetadata(f"the metadata text has {len(data)} bytes, more than {LONGEST_TEXT}")
    text = data.decode("utf-8", "replace")
    root: Section = {}
    open_sections = [root]
    position = 0
    while True:
        found = _STATEMENT.match(text, position)
        if found is None:
            raise _damaged(text, position)
        position = found.end()
        if found["key"] is not None:
            section, key = open_sections[-1], _unquoted(found["key"])
            if key in section:
                raise DamagedMetadata(f"the metadata text says {key!r} twice in one section")
            if found["open"] is not None:
                if len(open_sections) > DEEPEST:
                    raise DamagedMetadata(f"the metadata text has more than {DEEPEST} sections in one another")
                inner: Section = {}
                section[key] = inner
                open_sections.append(inner)
            elif found["array"] is not None:
                section[key], position = _parse_array(text, position)
            else:
                section[key] = _scalar(found["scalar"])
        elif found["close"] is not None:
            open_sections.pop()
            if not open_sections:
                raise DamagedMetadata("the metadata text ends a section that was not begun")
        elif len(open_sections) > 1:
            raise DamagedMetadata("the end of the metadata text is missing")
        else:
            return root


def _parse_array(text: str, position: int) -> tuple[tuple[Scalar, ...], int]:
    items: list[Scalar] = []
    while True:
        found = _ITEM.match(text, position)
        if found is None:
            raise _damaged(text, position)
        position = found.end()
        if found["scalar"] is not None:
            items.append(_scalar(found["scalar"]))
        if found["none"] is not None or found["last"] is not None:
            return tuple(items), position


def _scalar(token: str) -> Scalar:
    if token.startswith('"'):
        return _unquoted(token)
    return float(token) if "." in token else int(token)


def _unquoted(token: str) -> str:
    if not token.startswith('"'):
        return token
    inner = token[1:-1]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def _damaged(text: str, position: int) -> DamagedMetadata:
    line = text.count("\n", 0, position) + 1
    return DamagedMetadata(f"line {line} of the metadata text is damaged: {text[position : position + 40]!r}")
