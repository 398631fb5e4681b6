"""data_source: one thing that is measured."""

from __future__ import annotations

from cardume.datamodel.declare import RO, field, xenclass


@xenclass(name="data_source", events=False, stored=False, has_async=False)
class DataSource:
    """One thing that is measured of an object, and its present value."""

    name_label: str = field(RO, "the name under which values are kept, for instance cpu0", "")
    name_description: str = field(RO, "what is measured, for people to read", "")
    enabled: bool = field(RO, "true while values are kept")
    standard: bool = field(RO, "true when values are kept unless somebody stops it")
    units: str = field(RO, "the unit of the values")
    min: float = field(RO, "the least value that is possible")
    max: float = field(RO, "the greatest value that is possible")
    value: float = field(RO, "the present value")
