"""What session messages do: logging in and out, logging others out, and changing root's password."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from cardume.datamodel import errors
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.messages.call import Call
from cardume.messages.registry import implements


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logged in, and with which rights."""

    user: str
    role: Role
    is_local_superuser: bool = False
    subject: Ref[Any] = NULL
    sid: str = ""


ROOT = Identity("root", Role.LOCAL_ROOT, is_local_superuser=True)


class Authenticator(Protocol):
    """Knows users and their passwords. Takes as long for a wrong user as for a wrong password."""

    async def verify(self, user: str, password: str, address: str) -> Identity | None:
        """Whose password it is; None when it is nobody's. SESSION_AUTHORIZATION_FAILED: right, but without a role."""
        ...


class PasswordChanger(Protocol):
    """Keeps root's password for every host of the pool."""

    async def change(self, user: str, password: str) -> None: ...


class SessionService(Protocol):
    """The sessions that exist now; `api/sessions.py` is the implementation."""

    async def open(self, identity: Identity, originator: str, address: str, *, is_local: bool = False) -> Ref[Any]: ...

    async def close(self, ref: Ref[Any]) -> None: ...

    def is_local(self, ref: Ref[Any]) -> bool: ...

    def list_identities(self) -> Iterable[tuple[Ref[Any], Identity]]: ...


@implements("session.login_with_password")
async def login_with_password(call: Call, uname: str, pwd: str, version: str, originator: str) -> Ref[Any]:
    identity = await _identify(call, uname, pwd)
    return await _sessions(call).open(identity, originator, call.caller.address)


@implements("session.slave_local_login_with_password")
async def slave_local_login_with_password(call: Call, uname: str, pwd: str) -> Ref[Any]:
    identity = await _identify(call, uname, pwd)
    if identity.role < Role.POOL_ADMIN:
        raise errors.SESSION_AUTHENTICATION_FAILED(uname, "Only an administrator may log in to one host.")
    return await _sessions(call).open(identity, "", call.caller.address, is_local=True)


async def _identify(call: Call, user: str, password: str) -> Identity:
    if call.caller.is_local_superuser:
        return ROOT  # who may open the host's own socket is root already
    authenticator = cast(Authenticator, call.services["authenticator"])
    identity = await authenticator.verify(user, password, call.caller.address)
    if identity is None:
        call.log.warning("login_refused", user=user[:80], address=call.caller.address)
        raise errors.SESSION_AUTHENTICATION_FAILED(user, "Authentication failure")
    call.log.info("logged_in", user=identity.user, address=call.caller.address)
    return identity


@implements("session.logout")
async def logout(call: Call) -> None:
    await _sessions(call).close(call.caller.session)


@implements("session.local_logout")
async def local_logout(call: Call) -> None:
    if not _sessions(call).is_local(call.caller.session):
        raise errors.SESSION_INVALID(call.caller.session)  # session.logout ends those that the pool knows
    await _sessions(call).close(call.caller.session)


@implements("session.change_password")
async def change_password(call: Call, old_pwd: str, new_pwd: str) -> None:
    if not new_pwd:
        raise errors.CHANGE_PASSWORD_REJECTED("The new password is empty.")
    authenticator = cast(Authenticator, call.services["authenticator"])
    if await authenticator.verify(call.caller.user, old_pwd, call.caller.address) is None:
        raise errors.CHANGE_PASSWORD_REJECTED("The old password is wrong.")
    await cast(PasswordChanger, call.services["passwords"]).change(call.caller.user, new_pwd)
    call.log.info("password_changed", user=call.caller.user)


@implements("session.get_all_subject_identifiers")
async def get_all_subject_identifiers(call: Call) -> tuple[str, ...]:
    sids = (identity.sid for _, identity in _sessions(call).list_identities() if identity.sid)
    return tuple(dict.fromkeys(sids))


@implements("session.logout_subject_identifier")
async def logout_subject_identifier(call: Call, subject_identifier: str) -> None:
    opened = list(_sessions(call).list_identities())
    for ref, identity in opened:
        is_others = ref != call.caller.session
        if identity.sid == subject_identifier and not identity.is_local_superuser and is_others:
            await _sessions(call).close(ref)


def _sessions(call: Call) -> SessionService:
    return cast(SessionService, call.services["sessions"])
