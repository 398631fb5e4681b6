"""What goes into the audit log: who asked for what, on which objects, how it ended; never a value that was given."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cardume.api.accessors import is_read
from cardume.datamodel.errors import ApiError
from cardume.datamodel.http_handlers import HttpHandler
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.schema import Message
from cardume.datamodel.wiretypes import Prim, RefType
from cardume.messages.call import Caller
from cardume.pooldb.db import Database

Note = Callable[[Mapping[str, Any]], None]

OK = "ok"
_LOG_INS = ("uname", "originator")


def no_note(entry: Mapping[str, Any]) -> None:
    """For nobody."""


class Auditor:
    """Notes calls that change something, or tried to."""

    def __init__(self, db: Database, note: Note) -> None:
        self._db, self._note = db, note

    def called(self, caller: Caller, message: Message, values: tuple[Any, ...], outcome: str, task: str = "") -> None:
        """A call has ended, or was refused; outcome: `ok`, or the error's code."""
        if is_read(message) or (message.role <= Role.READ_ONLY and not message.full_name.startswith("session.")):
            return
        self._note(
            {
                **_who(caller),
                "message": message.full_name,
                "objects": [self._object(ref) for ref in _references(message, values)],
                **{name: value for name, value in _named(message, values).items() if name in _LOG_INS},
                "outcome": outcome,
                **({"task": task} if task else {}),
            }
        )

    def transferred(self, caller: Caller, handler: HttpHandler, outcome: str, objects: Sequence[Ref[Any]] = ()) -> None:
        """A use of an HTTP handler has ended, or was refused; or, of one that may last for days, has begun."""
        told = [self._object(ref) for ref in objects]
        self._note({**_who(caller), "message": f"{handler.method} {handler.path}", "objects": told, "outcome": outcome})

    def _object(self, ref: Ref[Any]) -> dict[str, str]:
        record: Any = self._db.find(ref)
        told = {"ref": str(ref), "class": self._db.class_of(ref) or ""}
        for name in ("uuid", "name_label"):
            if isinstance(value := getattr(record, name, None), str):
                told[name] = value
        return told


def outcome_of(error: BaseException) -> str:
    return error.code if isinstance(error, ApiError) else type(error).__name__


def _who(caller: Caller) -> dict[str, str]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"time": now, "user": caller.user, "address": caller.address, "client": caller.originator}


def _named(message: Message, values: tuple[Any, ...]) -> dict[str, Any]:
    return {param.name: value for param, value in zip(message.params, values, strict=True) if param.type is Prim.STRING}


def _references(message: Message, values: tuple[Any, ...]) -> list[Ref[Any]]:
    pairs = zip(message.params, values, strict=True)
    return [value for param, value in pairs if isinstance(param.type, RefType) and value]
