"""XML elements written as nested calls, and rendered the same way every time."""

import re
import xml.etree.ElementTree as ET

Element = ET.Element

# XML 1.0 has no way to write these, not even escaped; libvirt would refuse the whole document.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(tag: str, *children: Element | None, text: str | None = None, **attributes: str | int | None) -> Element:
    """An element with its attributes in the order given; children and attributes that are None are left out.

    A trailing underscore of an attribute's name is dropped, so that `type_` and `class_` can be written.
    """
    made = ET.Element(tag, {name.rstrip("_"): str(value) for name, value in attributes.items() if value is not None})
    made.text = text
    made.extend(child for child in children if child is not None)
    return made


def render(root: Element) -> str:
    """The element as indented text that ends with a newline."""
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", short_empty_elements=True) + "\n"


def one_line(text: str, limit: int = 200) -> str:
    """Free text made fit for a title: no control characters or line breaks, bounded length, never empty."""
    visible = "".join(" " if unit.isspace() else unit for unit in _UNWRITABLE.sub("", text))
    return " ".join("".join(unit for unit in visible if unit.isprintable()).split())[:limit] or "unnamed"
