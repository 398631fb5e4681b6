"""Which function does what a message declares."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from cardume.datamodel.declare import MessageOptions
from cardume.datamodel.schema import Message, schema

Function = Callable[..., Awaitable[Any]]
F = TypeVar("F", bound=Function)


@dataclass(frozen=True, slots=True)
class Implementation:
    """A message's function: called with the `Call`, then the message's parameters in order, decoded."""

    function: Function
    as_task: bool


IMPLEMENTATIONS: dict[str, Implementation] = {}
"""By full name, e.g. `VM.start`; filled by importing the modules of `messages`."""


def implements(declared: MessageOptions | str, *, as_task: bool = False) -> Callable[[F], F]:
    """Register what a message does. Implied messages (`VBD.create`, setters with an effect) are named by text.

    as_task: the work is worth showing: a synchronous call of it is a task as long as it runs, as `Async.` calls are.
    """
    name = declared if isinstance(declared, str) else declared.full_name

    def register(function: F) -> F:
        assert name not in IMPLEMENTATIONS, f"{name} is implemented twice"
        IMPLEMENTATIONS[name] = Implementation(function, as_task)
        return function

    return register


def check_implementations() -> None:
    """Raise TypeError when a function's parameters differ from its message's declaration; called at start-up."""
    for name, implementation in IMPLEMENTATIONS.items():
        message = schema().find_message(name)
        if message is None:
            raise TypeError(f"{name} is implemented but not declared")
        _check_parameters(message, implementation.function)


def _check_parameters(message: Message, function: Function) -> None:
    declared = ["call", *(param.name for param in message.params)]
    written = [name.rstrip("_") for name in inspect.signature(function).parameters]
    if declared != written:
        raise TypeError(f"{message.full_name} declares {declared}, {function.__qualname__} takes {written}")
