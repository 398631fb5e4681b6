"""From a method's name and loose values to what the message answers: who asks, may they, with what, and who does it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import structlog

from cardume.api import accessors
from cardume.api.audit import OK, Auditor, Note, no_note, outcome_of
from cardume.api.incidents import secret_texts, told
from cardume.api.permissions import assert_permitted
from cardume.api.rpc import Request
from cardume.api.sessions import Sessions
from cardume.api.tasks import Tasks, Unseen
from cardume.datamodel import errors
from cardume.datamodel.declare import REQUIRED, Qualifier
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.removed import is_removed
from cardume.datamodel.roles import Role
from cardume.datamodel.schema import Kind, Message, schema
from cardume.datamodel.values import ValueFault, from_plain
from cardume.datamodel.wiretypes import EnumType, Prim, RecordType, RefType, SetType, WireType
from cardume.messages.call import Call, Caller, Hosts, TaskHandle
from cardume.messages.registry import IMPLEMENTATIONS, Implementation
from cardume.pooldb.db import Database

log = structlog.get_logger(__name__)

LIST_METHODS = "system.listMethods"
ENDED_WITH_THEIR_CALLER = frozenset({"event.from", "event.next", "session.login_with_password"})
"""Waiting is of no use to a caller who left; all other calls go on to their end, as an operator expects."""

EMERGENCY_CALLS = frozenset(
    {
        "pool.emergency_reset_master",
        "pool.emergency_transition_to_master",
        "pool.is_slave",
        "session.slave_local_login",
        "session.slave_local_login_with_password",
        "session.local_logout",
        "host.propose_new_master",
        "host.commit_new_master",
        "host.abort_new_master",
        "host.local_assert_healthy",
        "host.signal_networking_change",
        "host.local_management_reconfigure",
        "host.ha_xapi_healthcheck",
        "host.emergency_ha_disable",
        "host.management_disable",
        "host.get_system_status_capabilities",
        "host.is_in_emergency_mode",
        "host.shutdown_agent",
        "host.emergency_reset_server_certificate",
        "host.emergency_disable_tls_verification",
        "host.emergency_reenable_tls_verification",
        "host.emergency_clear_mandatory_guidance",
        "host.update_firewalld_service_status",
    }
)
"""What a host answers also when it is not the master."""


LAST_CALLS = frozenset(
    {
        "event.from",
        "session.logout",
        "task.destroy",
        "task.get_error_info",
        "task.get_record",
        "task.get_result",
        "task.get_status",
    }
)
"""By these a client learns how the call ended that made this host another pool's member."""


class Standing(Protocol):
    """Whether this host answers for the pool."""

    def refusal(self) -> ApiError | None:
        """HOST_IS_SLAVE, or why there is no master; None on the master."""
        ...

    @property
    def is_leaving(self) -> bool:
        """True for the moment between a change of standing and the daemon's start as what it is then."""
        ...


class AlwaysMaster:
    """The standing of a host that is a pool of its own."""

    def refusal(self) -> ApiError | None:
        return None

    @property
    def is_leaving(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection."""

    address: str
    is_local_root: bool = False  # came over the host's own socket, which only root may open


@dataclass(frozen=True, slots=True)
class Result:
    """A typed value and its type, to be written in the caller's notation."""

    value: Any
    of: WireType
    object_ref: Ref[Any] | None = None  # whose record the value is, when it is one


@dataclass(frozen=True, slots=True)
class Target:
    message: Message
    is_async: bool


class Dispatcher:
    """Answers calls of every message of the schema."""

    def __init__(
        self,
        db: Database,
        hosts: Hosts,
        localhost: Ref[Any],
        sessions: Sessions,
        tasks: Tasks,
        services: Mapping[str, Any],
        standing: Standing,
        note: Note = no_note,
    ) -> None:
        self._db = db
        self._hosts = hosts
        self._localhost = localhost
        self._sessions = sessions
        self._tasks = tasks
        self._services = services
        self._standing = standing
        self._auditor = Auditor(db, note)
        self._targets = _targets()
        self._listed = tuple(sorted(name for name in self._targets if "." in name))

    async def call(self, request: Request, peer: Peer) -> Result:
        """What a call answers; every failure is an ApiError."""
        if request.method == LIST_METHODS:
            return Result(self._listed, SetType(Prim.STRING))
        target = self._targets.get(request.method)
        if target is None and is_removed(request.method):
            raise errors.MESSAGE_REMOVED()
        if target is None:
            raise errors.MESSAGE_METHOD_UNKNOWN(request.method[:200])
        caller, given = self._caller(target.message, request.params, peer)
        values = _decode(target.message, given, request.method)
        try:
            assert_permitted(self._db, caller, target.message, values)
            self._assert_objects(target.message, values)
            result = await self._answer(target, caller, values)
        except BaseException as error:
            self._auditor.called(caller, target.message, values, outcome_of(error))
            raise
        task = str(result.value) if target.is_async else ""
        self._auditor.called(caller, target.message, values, OK, task)
        return result

    # Who asks

    def _caller(self, message: Message, params: tuple[Any, ...], peer: Peer) -> tuple[Caller, tuple[Any, ...]]:
        """The caller, and the parameters after the session."""
        if not message.session:
            _assert_count(message, params)
            self._assert_master(message, NULL)
            return Caller(NULL, "", Role.READ_ONLY, peer.is_local_root, address=peer.address), params
        session = params[0] if params else ""
        # Before anything else: who logs in again, as clients then do, is told where the master is.
        caller = self._sessions.caller(session)
        self._assert_master(message, session)
        if self._sessions.is_local(caller.session) and not _is_local_call(message):
            raise self._standing.refusal() or errors.SESSION_INVALID(caller.session)
        _assert_count(message, params[1:])
        return caller, params[1:]

    def _assert_master(self, message: Message, session: Any) -> None:
        refusal = self._standing.refusal()
        if refusal is None or message.full_name in EMERGENCY_CALLS:
            return
        if self._standing.is_leaving and message.full_name in LAST_CALLS:
            return
        if not (isinstance(session, str) and self._sessions.is_local(Ref(session))):
            raise refusal

    def _assert_objects(self, message: Message, values: tuple[Any, ...]) -> None:
        """Refuse references to objects that are not there; null is refused for the object itself alone."""
        for position, (param, value) in enumerate(zip(message.params, values, strict=True)):
            if not isinstance(param.type, RefType):
                continue
            is_the_object = position == 0 and param.type.cls == message.cls
            if value == NULL and not is_the_object:
                continue
            # A local session is no object; its own calls name no other.
            if self._db.class_of(value) != param.type.cls and not self._sessions.is_local(value):
                raise errors.HANDLE_INVALID(param.type.cls, value)

    # Who does it

    async def _answer(self, target: Target, caller: Caller, values: tuple[Any, ...]) -> Result:
        message = target.message
        implementation = IMPLEMENTATIONS.get(message.full_name)
        if implementation is None and accessors.is_read(message):
            value = accessors.read(self._db, message, values)
            return Result(value, message.result, values[0] if message.kind is Kind.GET_RECORD else None)
        if implementation is None and message.kind.is_accessor:
            return await self._write(message, caller, values)
        if implementation is None:
            raise errors.NOT_IMPLEMENTED(message.full_name)
        return await self._run(target, implementation, caller, values)

    async def _write(self, message: Message, caller: Caller, values: tuple[Any, ...]) -> Result:
        """Change a field; one whose change does something is changed by its setter's own function."""
        change = accessors.change_of(self._db, message, values)
        setter = accessors.setter_of(message)
        if schema().classes[message.cls].fields[message.field].effect or setter.full_name in IMPLEMENTATIONS:
            implementation = IMPLEMENTATIONS.get(setter.full_name)
            if implementation is None:
                raise errors.NOT_IMPLEMENTED(message.full_name)
            now = getattr(self._db.get(change.ref), change.attribute)
            wanted = change.new_value(now)
            return await self._run(Target(setter, False), implementation, caller, (change.ref, wanted))
        await self._tasks.run_unseen(accessors.write(self._db, change))
        return Result(None, Prim.VOID)

    async def _run(
        self, target: Target, implementation: Implementation, caller: Caller, values: tuple[Any, ...]
    ) -> Result:
        message = target.message

        async def work(handle: TaskHandle) -> Any:
            return await implementation.function(self._call(message, caller, handle), *values)

        if target.is_async:
            label = f"Async.{message.full_name}"
            ref = await self._tasks.start(label, caller, work, message.result, secret_texts(message, values))
            return Result(ref, RefType("task"))
        began = time.monotonic()
        try:
            if message.full_name in ENDED_WITH_THEIR_CALLER:
                value = await work(Unseen())
            elif implementation.as_task:
                value = await self._tasks.run(message.full_name, caller, work)
            else:
                value = await self._tasks.run_unseen(work(Unseen()))
        except Exception as error:
            raise told(error, message.full_name, secret_texts(message, values)) from None
        if message.session and message.cls != "event":  # log-ins tell of themselves, with the user
            took_s = round(time.monotonic() - began, 3)
            log.info("called", message=message.full_name, user=caller.user, address=caller.address, took_s=took_s)
        return Result(value, message.result)

    def _call(self, message: Message, caller: Caller, handle: TaskHandle) -> Call:
        return Call(
            db=self._db,
            caller=caller,
            task=handle,
            hosts=self._hosts,
            localhost=self._localhost,
            log=log.bind(message=message.full_name, task=handle.ref),
            services=self._services,
        )


@cache
def _targets() -> Mapping[str, Target]:
    """What every name on the wire calls: `VM.start`, `VM_start`, `Async.VM.start`."""
    targets: dict[str, Target] = {}
    for declared in schema().messages():
        message = accessors.read_as_accessor(declared)
        targets[message.full_name] = Target(message, False)
        targets[f"{message.cls}_{message.name}"] = Target(message, False)
        if message.has_async:
            targets[f"Async.{message.full_name}"] = Target(message, True)
    return targets


def _is_local_call(message: Message) -> bool:
    return message.full_name in EMERGENCY_CALLS or accessors.is_read(message)


def _assert_count(message: Message, given: tuple[Any, ...]) -> None:
    if not message.required_count <= len(given) <= len(message.params):
        raise errors.MESSAGE_PARAMETER_COUNT_MISMATCH(message.full_name, message.required_count, len(given))


def _decode(message: Message, given: tuple[Any, ...], method: str) -> tuple[Any, ...]:
    """The typed values of all parameters, those left out included."""
    values = []
    for position, param in enumerate(message.params):
        if position >= len(given):
            assert param.default is not REQUIRED, "the number of parameters was checked"
            values.append(param.default)
            continue
        plain = _constructor_fields(given[position], param.type) if message.kind is Kind.CREATE else given[position]
        try:
            values.append(from_plain(plain, param.type, param.name))
        except ValueFault as fault:
            raise _refusal(fault) from None
    return tuple(values)


def _constructor_fields(plain: Any, of: WireType) -> Any:
    """Without the fields that no constructor takes: clients hand in whole records, uuid and all."""
    if not isinstance(of, RecordType) or not isinstance(plain, Mapping):
        return plain
    fields = schema().classes[of.cls].fields
    return {
        name: value for name, value in plain.items() if name in fields and fields[name].qualifier is not Qualifier.RO
    }


def _refusal(fault: ValueFault) -> ApiError:
    field = fault.path.rpartition(".")[2] if fault.path.startswith("args.") else fault.path
    if isinstance(fault.wanted, EnumType) and isinstance(fault.got, str):
        return errors.INVALID_VALUE(field, fault.got[:200])
    return errors.FIELD_TYPE_ERROR(field)
