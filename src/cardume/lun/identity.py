"""The name by which every host knows a LUN, from what it says of itself in its vital product data."""

from collections.abc import Iterator
from typing import NamedTuple

_VENDOR_SPECIFIC, _T10_VENDOR, _EUI_64, _NAA = 0, 1, 2, 3
_BINARY, _ASCII = 1, 2
_IEEE_REGISTERED_EXTENDED, _IEEE_REGISTERED = 6, 5
_OF_THE_LUN = 0
_MOST_READ = 254  # of a page; scsi_id looks at no more


class Designator(NamedTuple):
    """One of the names on page 0x83."""

    code_set: int
    association: int
    kind: int
    content: bytes


_PREFERENCE = (
    (_NAA, _IEEE_REGISTERED_EXTENDED),
    (_NAA, _IEEE_REGISTERED),
    (_NAA, None),
    (_EUI_64, None),
    (_T10_VENDOR, None),
    (_VENDOR_SPECIFIC, None),
)


def scsi_id(vendor: bytes, product: bytes, page_83: bytes, page_80: bytes) -> str:
    """What udev's `scsi_id -g` prints; "" for a LUN that has no name.

    `vendor` and `product` are as the LUN sends them, padded to 8 and 16 bytes; a page that it does not have is empty.
    """
    model = vendor.ljust(8)[:8] + product.ljust(16)[:16]
    return _of_page_83(model, page_83) or _of_page_80(model, page_80)


def serial_number(page_80: bytes) -> str:
    """The LUN's serial number as people read it."""
    return text(_content(page_80, 0x80))


def text(field: bytes) -> str:
    """A field of printable characters, without what it is padded with."""
    return field.split(b"\0", 1)[0].decode("ascii", "replace").strip()


def designators(page_83: bytes) -> Iterator[Designator]:
    """The names on the page; one that is cut off is left out."""
    body = _content(page_83[:_MOST_READ], 0x83)
    at = 0
    while at + 4 <= len(body):
        content = body[at + 4 : at + 4 + body[at + 3]]
        if len(content) == body[at + 3]:
            yield Designator(body[at] & 0x0F, body[at + 1] >> 4 & 0x03, body[at + 1] & 0x0F, content)
        at += 4 + body[at + 3]


def _of_page_83(model: bytes, page: bytes) -> str:
    if len(page) > 6 and page[1] == 0x83 and page[6] != 0:
        # Before SPC-2 the page was one bare name. Its seventh byte is part of that; of a designator it is reserved.
        return f"{_NAA}{page[4 : 4 + page[3]].hex()}"
    names = [each for each in designators(page) if each.association == _OF_THE_LUN]
    for kind, naa in _PREFERENCE:
        for code_set in (_BINARY, _ASCII):
            for name in names:
                if (name.kind, name.code_set) == (kind, code_set) and _has_naa(name, naa):
                    prefix = model if kind == _VENDOR_SPECIFIC else b""
                    content = name.content if code_set == _ASCII else name.content.hex().encode()
                    return _printed(b"%d" % kind + prefix + content)
    return ""


def _has_naa(name: Designator, naa: int | None) -> bool:
    return naa is None or (bool(name.content) and name.content[0] >> 4 == naa)


def _of_page_80(model: bytes, page: bytes) -> str:
    # The letter keeps it apart from a vendor's own name of page 0x83, which begins with 0 and the model as well.
    return _printed(b"S" + model + _content(page, 0x80)) if len(page) > 3 and page[1] == 0x80 else ""


def _content(page: bytes, code: int) -> bytes:
    """What follows the header of a page; nothing when it is another page."""
    if len(page) < 4 or page[1] != code:
        return b""
    return page[4 : 4 + int.from_bytes(page[2:4], "big")]


def _printed(name: bytes) -> str:
    """A name as a C program prints it: it ends at the first NUL."""
    return name.split(b"\0", 1)[0].decode("utf-8", "replace")
