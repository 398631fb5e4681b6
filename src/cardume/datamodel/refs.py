"""References: the opaque names under which clients know objects."""

import uuid
from typing import Any, Generic, TypeVar

T = TypeVar("T")
PREFIX = "OpaqueRef:"


class Ref(str, Generic[T]):
    """A reference to an object of class T; on the wire `OpaqueRef:` and a random uuid."""

    __slots__ = ()

    @property
    def is_null(self) -> bool:
        """True for the reference to nothing."""
        return self == NULL or self == ""


NULL: Ref[Any] = Ref(PREFIX + "NULL")


def new_ref() -> Ref[Any]:
    """A reference that no object has yet."""
    return Ref(PREFIX + str(uuid.uuid4()))


def new_uuid() -> str:
    """A fresh uuid as XenAPI writes it."""
    return str(uuid.uuid4())
