"""The sessions that exist: who calls, since when, and their end."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cardume.datamodel import errors
from cardume.datamodel.refs import NULL, Ref, new_ref
from cardume.datamodel.roles import Role
from cardume.datamodel.session import Session
from cardume.messages.call import Caller
from cardume.messages.role import permission_names
from cardume.messages.session import Identity
from cardume.messages.subject import role_of_subject
from cardume.pooldb.db import Database

IDLE_S = 24 * 3600.0
MOST_SESSIONS = 2000
MOST_OF_A_CLIENT = 500
"""Clients that never log out must not fill the memory. Above this many sessions of one user and originator, the one of
these that was used least recently ends; above the other limit, that of the user who has most. So nobody can log out
others by logging in.
"""

StillThere = Callable[[Identity], bool]
"""Whether the account behind a session exists yet."""


@dataclass(slots=True)
class _Entry:
    caller: Caller
    identity: Identity
    is_local: bool
    used_s: float
    recorded_s: float


class Sessions:
    """The `SessionService` of messages/session.py."""

    def __init__(
        self,
        db: Database,
        localhost: Ref[Any],
        *,
        still_there: StillThere = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
        idle_s: float = IDLE_S,
    ) -> None:
        self._db = db
        self._localhost = localhost
        self._clock = clock
        self._idle_s = idle_s
        self._still_there = still_there
        self._entries: dict[Ref[Any], _Entry] = {}  # least recently used first
        self._on_end: list[Callable[[Ref[Any]], None]] = []

    def on_end(self, callback: Callable[[Ref[Any]], None]) -> None:
        """Have a function called with every session that ends, before its record goes."""
        self._on_end.append(callback)

    async def open(self, identity: Identity, originator: str, address: str, *, is_local: bool = False) -> Ref[Any]:
        """A new session. A local one has no record: it is good on this host alone, where the database may not be."""
        ref = new_ref()
        caller = Caller(ref, identity.user, identity.role, identity.is_local_superuser, originator[:256], address)
        if not is_local:
            await self._db.create(self._record(identity, caller), ref)
        now = self._clock()
        self._entries[ref] = _Entry(caller, identity, is_local, now, now)
        await self._make_room(caller)
        return ref

    async def _make_room(self, newest: Caller) -> None:
        same = [ref for ref, entry in self._entries.items() if _client(entry.caller) == _client(newest)]
        if len(same) > MOST_OF_A_CLIENT:
            await self.close(same[0])
        elif len(self._entries) > MOST_SESSIONS:
            users = Counter(entry.caller.user for entry in self._entries.values())
            ((most, _),) = users.most_common(1)
            await self.close(next(ref for ref, entry in self._entries.items() if entry.caller.user == most))

    async def close(self, ref: Ref[Any]) -> None:
        """End a session; its waiting calls fail. One that is gone is no error."""
        entry = self._entries.pop(ref, None)
        if entry is None:
            return
        for callback in self._on_end:
            callback(ref)
        if not entry.is_local:
            await self._db.delete(ref)

    def caller(self, ref: object) -> Caller:
        """Who calls with this session, which counts as a use of it; SESSION_INVALID when there is no such session."""
        entry = self._entries.get(ref) if isinstance(ref, str) else None  # type: ignore[call-overload]  # a text from outside
        now = self._clock()
        if entry is None or now - entry.used_s > self._idle_s:
            raise errors.SESSION_INVALID(str(ref)[:80])
        # Asked at every call: who loses a role, or all, loses it at once.
        role = self._role_of(entry)
        if role is None:
            raise errors.SESSION_INVALID(str(ref)[:80])
        if role is not entry.caller.role:
            entry.caller = replace(entry.caller, role=role)
        del self._entries[entry.caller.session]
        self._entries[entry.caller.session] = entry  # as the one used last
        entry.used_s = now
        caller: Caller = entry.caller
        return caller

    def _role_of(self, entry: _Entry) -> Role | None:
        """The role that the session has now; None when its subject has none left."""
        subject = entry.identity.subject
        return entry.identity.role if subject == NULL else role_of_subject(self._db, subject)

    async def follow_roles(self) -> None:
        """Give live sessions their subjects' roles as they are now; end those that have none left."""
        for ref, entry in list(self._entries.items()):
            role = self._role_of(entry)
            if role is None:
                await self.close(ref)
            elif not entry.is_local and entry.identity.subject != NULL and self._db.find(ref) is not None:
                await self._record_role(ref, role)

    async def _record_role(self, ref: Ref[Any], role: Role) -> None:
        async with self._db.transaction() as txn:
            record = txn.find(ref)
            if record is not None and record.rbac_permissions != permission_names(role):
                txn.update(ref, rbac_permissions=permission_names(role))

    def is_local(self, ref: Ref[Any]) -> bool:
        """True for a session that is good on this host alone."""
        return ref in self._entries and self._entries[ref].is_local

    def is_open(self, ref: Ref[Any]) -> bool:
        return ref in self._entries

    def list_identities(self) -> Iterable[tuple[Ref[Any], Identity]]:
        """Every session and whose it is."""
        return [(ref, entry.identity) for ref, entry in self._entries.items()]

    async def housekeep(self) -> None:
        """End sessions that are idle or whose account went, and write down when the others were used; now and then.

        `last_active` is written here and nowhere else: a write at every call would wake every client that waits.
        """
        now = self._clock()
        for ref, entry in list(self._entries.items()):
            if now - entry.used_s > self._idle_s or not self._still_there(entry.identity):
                await self.close(ref)
        await self.follow_roles()
        used = {ref: e for ref, e in self._entries.items() if not e.is_local and e.used_s > e.recorded_s}
        async with self._db.transaction() as txn:
            for ref, entry in used.items():
                if txn.find(ref) is not None:
                    seconds_ago = self._clock() - entry.used_s
                    txn.update(ref, last_active=datetime.fromtimestamp(time.time() - seconds_ago, UTC))
                entry.recorded_s = entry.used_s

    def _record(self, identity: Identity, caller: Caller) -> Session:
        now = datetime.now(UTC)
        is_root = identity.role is Role.LOCAL_ROOT
        return Session(
            this_host=self._localhost,
            last_active=now,
            validation_time=now,
            is_local_superuser=identity.is_local_superuser,
            subject=identity.subject,
            auth_user_sid=identity.sid,
            auth_user_name=identity.user,
            rbac_permissions=() if is_root else permission_names(identity.role),
            originator=caller.originator,
        )


def _client(caller: Caller) -> tuple[str, str]:
    return caller.user, caller.originator
