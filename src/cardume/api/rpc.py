"""What both wires share: a request as it came in, and the refusal of a body that is none."""

from dataclasses import dataclass
from typing import Any


class Malformed(ValueError):
    """The body is no request of its protocol; nothing in it can be answered."""


@dataclass(frozen=True, slots=True)
class Request:
    """A method's name and its parameters as loose values: text, numbers, booleans, None, lists and dicts."""

    method: str
    params: tuple[Any, ...]
