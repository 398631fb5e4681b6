"""blob: bytes that clients keep with an object."""

from __future__ import annotations

from datetime import datetime

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role


@xenclass(name="blob", role=Role.POOL_OPERATOR, has_async=False)
class Blob:
    """Bytes that clients keep with an object, and that the server does not understand; moved over HTTP."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the name, for people to read", "")
    name_description: str = field(RW, "what it is, for people to read", "")
    size: int = field(RO, "how many bytes it holds")
    public: bool = field(RW, "true when it may be read over HTTP without a password", False)
    last_updated: datetime = field(STATIC_RO, "when its bytes were last written")
    mime_type: str = field(STATIC_RO, "the type of its bytes, which HTTP tells")

    @message()
    @staticmethod
    def create(mime_type: str, public: bool = False) -> Ref[Blob]:
        """Make an empty blob that belongs to no object."""

    @message()
    def destroy(self) -> None:
        """Remove the blob and its bytes."""
