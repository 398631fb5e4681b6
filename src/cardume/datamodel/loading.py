"""The class modules, imported as they are asked for: a short-lived program that needs few loads few.

A class lies in the module of its name, without regard to underscores and case: `VM_guest_metrics` and Python's
`VMGuestMetrics` in `vm_guest_metrics`.
"""

import importlib
import pkgutil
import sys
from functools import cache
from typing import Any

import cardume.datamodel
from cardume.datamodel import removed  # noqa: F401 – its classes lie in no module of their name

_PACKAGE = cardume.datamodel.__name__


@cache
def load_all() -> None:
    """Import every class module."""
    for module in _modules().values():
        importlib.import_module(f"{_PACKAGE}.{module}")


def load_class(name: str) -> None:
    """Import the module of a class, as far as its name tells which."""
    module = _modules().get(_folded(name))
    if module is not None:
        importlib.import_module(f"{_PACKAGE}.{module}")


def value_of_annotation(text: object, module: dict[str, Any]) -> Any:
    """What an annotation of a module means. Names of classes go first, for a module's fields are named like them."""
    assert isinstance(text, str), "class modules begin with `from __future__ import annotations`"
    names = _NAMES
    while True:
        try:
            return eval(text, module, names)
        except NameError as error:
            # An enum that only type checkers see imported, from the module of another class.
            name = str(error.name)
            names = _Names({**names, name: _find_anywhere(name)})


class _Names(dict[str, Any]):
    """The names of modules and classes, each looked up when it is met first."""

    def __missing__(self, name: str) -> Any:
        module = _modules().get(_folded(name))
        if module is None:
            raise KeyError(name)
        loaded = importlib.import_module(f"{_PACKAGE}.{module}")
        found = loaded if name == module else vars(loaded).get(name)
        if found is None:
            raise KeyError(name)
        self[name] = found
        return found


_NAMES = _Names()


def _find_anywhere(name: str) -> Any:
    """The class or enum of this name, in what is loaded or else in all there is."""
    found = _find_loaded(name)
    if found is None:
        load_all()
        found = _find_loaded(name)
    assert found is not None, f"{name} is no class or enum of the data model"
    return found


def _find_loaded(name: str) -> Any:
    for module in _modules().values():
        found = vars(sys.modules.get(f"{_PACKAGE}.{module}", object)).get(name)
        if hasattr(found, "__xenname__"):
            return found
    return None


@cache
def _modules() -> dict[str, str]:
    """The modules of the package by their folded names."""
    return {_folded(info.name): info.name for info in pkgutil.iter_modules(cardume.datamodel.__path__)}


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
