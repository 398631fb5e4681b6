"""Arguments of constructors: the fields that a person said something about, the others as the datamodel has them."""

from typing import Any

from cardume.datamodel.declare import REQUIRED, Qualifier
from cardume.datamodel.schema import xenclass_named
from cardume.datamodel.values import to_plain
from cardume.datamodel.wiretypes import zero


def fresh(cls: str, **said: Any) -> dict[str, Any]:
    """The whole argument of a class's constructor."""
    fields = xenclass_named(cls).fields
    unknown = said.keys() - fields.keys()
    assert not unknown, f"{cls} has no fields {unknown}"
    defaults = {
        name: to_plain(zero(one.type) if one.default is REQUIRED else one.default, one.type)
        for name, one in fields.items()
        if one.qualifier is not Qualifier.RO and one.backref is None
    }
    return {**defaults, **said}
