"""What a message's function is given: the database, who asks, the task, and the hands of hosts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.hostops.hands import Hands
from cardume.pooldb.db import Database


class TaskHandle(Protocol):
    """The running call's own task."""

    @property
    def ref(self) -> Ref[Any]:
        """The task's reference: the key of `current_operations`."""
        ...

    def progress(self, fraction: float) -> None:
        """Tell how far the work is, from 0.0 to 1.0. Cheap: told to clients a few times a second at most."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    session: Ref[Any]
    user: str
    role: Role
    is_local_superuser: bool
    originator: str = ""
    address: str = ""


class Hosts(Protocol):
    """The hands of every host of the pool, by host reference."""

    def hands(self, host: Ref[Any]) -> Hands: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one message."""

    db: Database
    caller: Caller
    task: TaskHandle
    hosts: Hosts
    localhost: Ref[Any]
    log: structlog.stdlib.BoundLogger
    services: Mapping[str, Any] = field(default_factory=dict)
