"""Small classes to try the object layer on, in a schema of their own: the product's registry does not learn of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from cardume.datamodel import wiretypes
from cardume.datamodel.declare import REGISTRY, RO, RW, STATIC_RO, field, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.schema import Schema
from cardume.datamodel.schema import _derive as derive
from cardume.datamodel.wiretypes import Set


class Mood(StrEnum):
    CALM = "calm"
    WILD = "wild"


@xenclass(name="PooldbPond", constructor=True)
class Pond:
    """Holds fish."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "its name", "")
    depth: int = field(RW, "how deep", 0)
    mood: Mood = field(RO, "how it is", Mood.CALM)
    made: datetime = field(RO, "when it was dug")
    other_config: Mapping[str, str] = field(RW, "more facts", {})
    temperature: float = field(RO, "measured now", 0.0, volatile=True)
    fish: Set[Ref[Fish]] = field(RO, "those in it", backref="PooldbFish.pond")
    fans: Set[Ref[Fish]] = field(RO, "those that like it", backref="PooldbFish.likes")
    king: Ref[Fish] = field(RO, "the one that rules it", backref="PooldbFish.rules")


@xenclass(name="PooldbFish", constructor=True)
class Fish:
    """Swims in a pond."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "its name", "")
    pond: Ref[Pond] = field(STATIC_RO, "where it swims", NULL)
    likes: Set[Ref[Pond]] = field(RW, "where it would rather swim", ())
    rules: Ref[Pond] = field(RO, "the pond that it rules")
    parent: Ref[Fish] = field(RO, "where it comes from")
    children: Set[Ref[Fish]] = field(RO, "where they come from", backref="PooldbFish.parent")


@xenclass(name="PooldbReed")
class Reed:
    """Has a field that its constructor must be given."""

    uuid: str = field(RO, "the object's unique identifier")
    height: int = field(STATIC_RO, "how high it is")


@xenclass(name="PooldbRipple", volatile=True)
class Ripple:
    """Is gone after a restart."""

    uuid: str = field(RO, "the object's unique identifier")
    height: int = field(RW, "how high", 0)


@xenclass(name="PooldbGlance", volatile=True, events=False)
class Glance:
    """Makes no events."""

    uuid: str = field(RO, "the object's unique identifier")
    pond: Ref[Pond] = field(RO, "what is looked at")


def _private_schema(*classes: type) -> Schema:
    # The registry is the whole process's, and other tests compare it with the public list of classes.
    options = [REGISTRY.pop(wiretypes.class_name(cls)) for cls in classes]
    derived = {said.name: derive(said) for said in options}
    return Schema(derived, {cls.python: cls for cls in derived.values()})


SHAPES = _private_schema(Pond, Fish, Reed, Ripple, Glance)
