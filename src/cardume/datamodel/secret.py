"""secret: a password that other objects name."""

from __future__ import annotations

from collections.abc import Mapping

from cardume.datamodel.declare import RO, RW, field, xenclass
from cardume.datamodel.roles import Role


@xenclass(name="secret", role=Role.POOL_OPERATOR, events=False, constructor=True, read_role=Role.POOL_OPERATOR)
class Secret:
    """A password kept apart from the object that needs it, which names the secret by its uuid."""

    uuid: str = field(RO, "the object's unique identifier")
    value: str = field(RW, "the password itself; never in logs or events")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {}, read_role=Role.READ_ONLY)
