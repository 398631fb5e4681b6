"""Classes that fields of declared classes already point to, and that are declared in a later version.

Such a field is always null or empty until then.
"""

from collections.abc import Callable


def _later(name: str) -> Callable[[type], type]:
    def mark(python: type) -> type:
        python.__xenname__ = name  # type: ignore[attr-defined]  # read back by wiretypes.class_name
        return python

    return mark
