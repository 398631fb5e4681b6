"""Guests' memory written to files by libvirt: begun, given up, told whole from half."""

import asyncio
from contextlib import suppress

from cardume.hostops.errors import GuestError
from cardume.hostops.guests.libvirt_binding import Connection, ConnectionLost
from cardume.hostops.guests.libvirt_link import LinkCall
from cardume.hostops.guests.libvirt_looking import make_durable
from cardume.hostops.guests.libvirt_thread import CallTimedOut
from cardume.hostops.guests.libvirt_undo import UNDO_S, Undos


class Saves:
    """See `Guests.save` and `Guests.is_saved`."""

    def __init__(self, call: LinkCall, undos: Undos) -> None:
        self._call, self._undos = call, undos

    async def save(self, uuid: str, path: str, timeout_s: float) -> None:
        def work(connection: Connection) -> None:
            connection.save(uuid, path)
            make_durable(path)

        # The call may take longer than its caller waits: whether the guest was saved is known when it returns only.
        call = asyncio.create_task(self._call(uuid, "save", work, timeout_s=timeout_s + UNDO_S))
        try:
            await asyncio.wait((call,), timeout=timeout_s)
        except asyncio.CancelledError:
            await self._undos.run(self._stop_save(uuid, path, call))
            raise
        if call.done() and not isinstance(call.exception(), ConnectionLost):
            await call
        elif not await self._undos.run(self._stop_save(uuid, path, call)):
            raise GuestError(f"guest {uuid} was not saved within {timeout_s:g} s, or libvirtd went away meanwhile")

    async def is_saved(self, path: str) -> bool:
        def work(connection: Connection) -> None:
            # libvirt marks an image as whole only when all of it is there, and reads no other.
            connection.saved_xml(path)
            make_durable(path)  # whoever began the save may have died before he did it

        try:
            await self._call("", "is_saved", work)
        except GuestError:
            return False
        return True

    async def _stop_save(self, uuid: str, path: str, call: "asyncio.Task[None]") -> bool:
        """Have libvirt give up a save that nobody waits for any more; true when it came to its end all the same."""

        def is_saved(connection: Connection) -> bool:
            if connection.find(uuid) is not None:
                return False
            connection.saved_xml(path)  # an error when the file is not whole
            make_durable(path)
            return True

        while not call.done():
            with suppress(GuestError):  # there is no job yet, or none any more
                await self._call(uuid, "abort save of", lambda connection: connection.abort_job(uuid))
            await asyncio.wait((call,), timeout=0.5)
        try:
            await call
        except ConnectionLost:
            return await self._call(uuid, "look at", is_saved, repeatable=True)
        except CallTimedOut:
            raise
        except GuestError:
            return False  # libvirt has removed its file
        return True
