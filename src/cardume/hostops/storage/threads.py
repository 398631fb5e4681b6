"""Blocking file calls, moved off the event loop, that have ended when their caller goes on."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a blocking call; a cancelled caller is told only after the call has ended.

    Without the wait, an undo would run beside the call it undoes, and a rename could follow the removal.
    """
    return await ended(asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs)))


async def ended(work: "asyncio.Future[T]") -> T:
    """The result of work in a thread, under the same rule."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                continue
        if not work.cancelled():
            work.exception()  # looked at, so that nobody logs it as forgotten
        raise
