"""Who may use an HTTP handler, and under which task its work goes: the same for every handler beside RPC.

A handler is written as a function of the request and a `Transfer`, and registered guarded:

    async def export_disk(request: web.Request, transfer: Transfer) -> web.StreamResponse:
        vdi = transfer.arguments.get("vdi", "")
        if not vdi:
            raise TransferFailure(404, errors.HANDLE_INVALID("VDI", vdi))
        response = await transfer.begin(web.StreamResponse())  # the headers go out; a PUT reads its body after this
        transfer.task.progress(0.5)
        transfer.succeed((ref,), SetType(RefType("VM")))  # the task's result; without it the result is void
        return response

    handlers = {route("get_export_raw_vdi"): guarded("get_export_raw_vdi", export_disk)}  # for `Parts.handlers`

What the guard does, in this order:

1. Finds the caller: `session_id` as a cookie, else in the query, and a member asks the master whose it is; else
   `Authorization: Basic`, which makes a session that ends with the request; on the host's own socket whoever calls is
   root. Nobody, or a bad session: 401.
2. Compares the caller's role with the handler's: 403, and a task that was given fails.
3. Adopts the task that `task_id` names (a cookie wins over the query), or makes one, unless `makes_task` is False.
   It must be the caller's own and still pending: else 403 or 400.
4. Calls the function. The task ends with it: with `succeed`'s value, or with the error that it raised.
   An ApiError answers 500, a TransferFailure its own status. Once the headers are out, a failure cuts the
   connection, so that no client takes half of the data for all of it.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any, TypeVar
from urllib.parse import unquote

import structlog
from aiohttp import hdrs, web

from cardume.api.audit import OK, Auditor
from cardume.api.incidents import told
from cardume.api.permissions import denied
from cardume.api.sessions import Sessions
from cardume.api.tasks import Adopted, Tasks, Unseen
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.http_handlers import HTTP_HANDLERS, HttpHandler
from cardume.datamodel.refs import Ref
from cardume.datamodel.task import Task, TaskStatus
from cardume.datamodel.wiretypes import WireType
from cardume.messages.call import Caller, TaskHandle
from cardume.messages.session import ROOT, Authenticator
from cardume.pooldb.db import Database

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ResultText = Callable[[Any, WireType], str]
FindCaller = Callable[[str], Awaitable[Caller | None]]
"""Who calls with a session that is not this host's; None when nobody knows it."""

R = TypeVar("R", bound=web.StreamResponse)

COOKIES = ("session_id", "task_id", "subtask_of")

HEADERS: Mapping[str, str] = {
    hdrs.CACHE_CONTROL: "no-cache, no-store",
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
}


class TransferFailure(Exception):
    """The work failed in a way that has a status of its own; the task gets the error."""

    def __init__(self, status: int, error: ApiError) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error


class Transfer:
    """One use of a handler: who, with which arguments, under which task."""

    def __init__(self, request: web.Request, caller: Caller, task: TaskHandle, result_text: ResultText) -> None:
        self.caller = caller
        self.arguments = arguments_of(request)
        self.task = task
        self.response: web.StreamResponse | None = None  # once it has begun
        self._request = request
        self._result_text = result_text

    async def begin(self, response: R) -> R:
        """Send the status and the headers, those that every transfer has and the task's reference included."""
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if isinstance(self.task, Adopted):
            response.headers["task-id"] = self.task.ref
        response.force_close()
        await response.prepare(self._request)
        self.response = response
        return response

    @property
    def is_cancelled(self) -> bool:
        """True once somebody asked for the task to stop; a handler is also cancelled when its client hangs up."""
        return isinstance(self.task, Adopted) and self.task.is_cancelled

    def succeed(self, value: Any, of: WireType) -> None:
        """Set the result that the task ends with, if nothing fails until then."""
        if isinstance(self.task, Adopted):
            self.task.result = self._result_text(value, of)


Work = Callable[[web.Request, Transfer], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class HttpAccess:
    """What the guard needs of the running API; each listener's application has its own, under `ACCESS`."""

    db: Database
    sessions: Sessions
    tasks: Tasks
    authenticator: Authenticator
    result_text: ResultText
    auditor: Auditor
    find_elsewhere: FindCaller | None = None
    is_local_root: bool = False  # on the host's own socket
    closing: asyncio.Event = field(default_factory=asyncio.Event)  # the API stops: what would last for hours ends

    @asynccontextmanager
    async def identified(self, request: web.Request, realm: str, *, takes_local: bool = False) -> AsyncIterator[Caller]:
        """The caller, as long as the block lasts; 401 when it is nobody. For handlers that are public in part.

        takes_local: a session with this very host, member of a pool or not, is good enough.
        """
        session = arguments_of(request).get("session_id")
        if session is not None:
            yield await self._caller_of(session, realm, takes_local)
            return
        own = await self._log_in(request, realm)
        try:
            yield self.sessions.caller(own)
        finally:
            # Shielded: a client that leaves at this moment must not leave its session behind.
            await asyncio.shield(self.sessions.close(own))

    async def _caller_of(self, session: str, realm: str, takes_local: bool = False) -> Caller:
        try:
            caller = self.sessions.caller(session)
        except ApiError:
            elsewhere = await self.find_elsewhere(session) if self.find_elsewhere is not None else None
            if elsewhere is None:
                raise _unauthorized(realm) from None
            return elsewhere
        if self.sessions.is_local(caller.session) and not takes_local:
            raise _unauthorized(realm)  # good for emergency calls alone
        return caller

    async def _log_in(self, request: web.Request, realm: str) -> Ref[Any]:
        address = request.remote or ""
        if self.is_local_root:
            return await self.sessions.open(ROOT, "http", address)
        try:
            user, password = _basic(request)
            identity = await self.authenticator.verify(user, password, address)
        except ValueError:
            raise _unauthorized(realm) from None
        except ApiError as error:  # the password is right, and the account has no role
            raise _refusal(web.HTTPForbidden, error) from None
        if identity is None:
            log.warning("login_refused", user=user[:80], address=address)
            raise _unauthorized(realm)
        return await self.sessions.open(identity, "http", address)

    async def assert_role(self, caller: Caller, handler: HttpHandler, task: Ref[Any] | None) -> None:
        """Refuse a role that is too low with 403; the task that was given fails."""
        if not handler.needs_role or caller.role >= handler.role:
            return
        error = denied(caller, handler.permission)
        self.auditor.transferred(caller, handler, error.code)
        if task is not None and self._refusal_of_task(caller, task) is None:
            await self.tasks.finish(task, TaskStatus.FAILURE, error_info=tuple(error.description))
        raise _refusal(web.HTTPForbidden, error)

    def assert_adoptable(self, caller: Caller, task: Ref[Any]) -> None:
        """Refuse a task that is not there, has ended, is at work, or is another user's."""
        refusal = self._refusal_of_task(caller, task)
        if refusal is not None:
            forbidden = refusal.code == errors.RBAC_PERMISSION_DENIED.code
            raise _refusal(web.HTTPForbidden if forbidden else web.HTTPBadRequest, refusal)

    def _refusal_of_task(self, caller: Caller, ref: Ref[Any]) -> ApiError | None:
        record = self.db.find(ref)
        if not isinstance(record, Task):
            return errors.HANDLE_INVALID("task", ref)
        if not self.tasks.may_touch(caller, ref):
            return errors.RBAC_PERMISSION_DENIED("task.destroy/any", "The task is another user's.")
        if record.status is not TaskStatus.PENDING or self.tasks.is_running(ref):
            return errors.OPERATION_NOT_ALLOWED("The task has work of its own, or has ended.")
        return None

    @asynccontextmanager
    async def under_task(
        self, handler: HttpHandler, caller: Caller, arguments: Mapping[str, str], makes_task: bool
    ) -> AsyncIterator[TaskHandle]:
        """The task of the work: the one that was given, one that is made, or none that anybody sees."""
        given = _task_of(arguments)
        if given is None and not makes_task:
            yield Unseen()
            return
        async with self.tasks.adopted(given, f"{handler.method} {handler.path}", caller) as task:
            parent = Ref[Any](arguments.get("subtask_of", ""))
            if given is None and self.db.class_of(parent) == "task":
                await self.db.update(task.ref, subtask_of=parent)
            yield task


ACCESS: web.AppKey[HttpAccess] = web.AppKey("access", HttpAccess)


def route(name: str) -> tuple[str, str]:
    """A handler's method and path, as `Parts.handlers` wants them."""
    handler = HTTP_HANDLERS[name]
    return handler.method, handler.path


def guarded(name: str, work: Work, *, makes_task: bool = True, cuts: bool = True) -> Handler:
    """The function of a handler as the server calls it; see the top of this file.

    name: XenAPI's name of the handler, e.g. `put_import`. makes_task: False for what is read every few seconds.
    cuts: False for what takes data and gives none: there the task alone tells of a failure after the headers.
    """
    handler = HTTP_HANDLERS[name]

    async def handle(request: web.Request) -> web.StreamResponse:
        access = request.app[ACCESS]
        async with access.identified(request, handler.name) as caller:
            task = _task_of(arguments_of(request))
            await access.assert_role(caller, handler, task)
            if task is not None:
                access.assert_adoptable(caller, task)
            outcome = "cut off"
            try:
                answer = await _do(access, handler, request, caller, makes_task, cuts, work)
                outcome = OK if answer.status < 400 else f"status {answer.status}"
            finally:
                if makes_task:
                    access.auditor.transferred(caller, handler, outcome)
            return answer

    return handle


def arguments_of(request: web.Request) -> Mapping[str, str]:
    """What the query says; a cookie that names session or task wins over it."""
    cookies = {name: unquote(request.cookies[name]) for name in COOKIES if name in request.cookies}
    return {**request.query, **cookies}


def _basic(request: web.Request) -> tuple[str, str]:
    """User and password of the header; ValueError when there are none."""
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    user, colon, password = base64.b64decode(given, validate=True).decode().partition(":")
    if scheme.lower() != "basic" or not colon:
        raise ValueError("no user and password")
    return user, password


async def _do(
    access: HttpAccess,
    handler: HttpHandler,
    request: web.Request,
    caller: Caller,
    makes_task: bool,
    cuts: bool,
    work: Work,
) -> web.StreamResponse:
    status = 500
    begun: web.StreamResponse | None = None
    try:
        async with access.under_task(handler, caller, arguments_of(request), makes_task) as task:
            transfer = Transfer(request, caller, task, access.result_text)
            try:
                return await work(request, transfer)
            except TransferFailure as failure:
                status = failure.status
                raise failure.error from None
            except Exception as error:
                raise told(error, handler.name) from None
            finally:
                begun = transfer.response
    except ApiError as error:
        log.info("transfer_failed", handler=handler.name, user=caller.user, error=error.code)
        if begun is not None:
            if not cuts:
                return begun
            _cut(request)
        text = _html(status, " ".join(error.description))
        return _closing(web.Response(status=status, text=text, content_type="text/html", headers=HEADERS))


def _cut(request: web.Request) -> None:
    """Break the connection: an answer that has begun and just ends would look complete."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("the answer has begun and cannot be completed")


def _task_of(arguments: Mapping[str, str]) -> Ref[Any] | None:
    return Ref(arguments["task_id"]) if "task_id" in arguments else None


def _unauthorized(realm: str) -> web.HTTPException:
    headers = {**HEADERS, hdrs.WWW_AUTHENTICATE: f'Basic realm="{realm}"'}
    return _closing(web.HTTPUnauthorized(text=_html(401, "Log in first."), content_type="text/html", headers=headers))


def _refusal(kind: type[web.HTTPClientError], error: ApiError) -> web.HTTPException:
    text = _html(kind.status_code, " ".join(error.description))
    return _closing(kind(text=text, content_type="text/html", headers=HEADERS))


def _closing(response: R) -> R:
    """The connection ends with the answer: a body that still comes is not read."""
    response.force_close()
    return response


def _html(status: int, sentence: str) -> str:
    return f"<!DOCTYPE html>\n<html><body><h1>{status}</h1><p>{escape(sentence)}</p></body></html>\n"
