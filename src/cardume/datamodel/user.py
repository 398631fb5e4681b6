"""user: a local user; not used, as sessions name root or a subject of the directory."""

from __future__ import annotations

from collections.abc import Mapping

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, xenclass


@xenclass(name="user", events=False, get_all=False, constructor=True)
class User:
    """A local user; not used, as sessions name root or a subject of the directory."""

    uuid: str = field(RO, "the object's unique identifier")
    short_name: str = field(STATIC_RO, "the name to log in with")
    fullname: str = field(RW, "the name for people to read")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})
