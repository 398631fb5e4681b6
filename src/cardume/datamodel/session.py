"""session: a client's login."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set

if TYPE_CHECKING:
    from cardume.datamodel.host import Host
    from cardume.datamodel.subject import Subject
    from cardume.datamodel.task import Task
    from cardume.datamodel.user import User


@xenclass(name="session", events=False, volatile=True, has_async=False, get_all=False)
class Session:
    """A client's login: who calls, with which rights, since when. Sessions last until logout or a day unused."""

    uuid: str = field(RO, "the object's unique identifier")
    this_host: Ref[Host] = field(RO, "the host that the session was made on")
    this_user: Ref[User] = field(RO, "not used: local users have no object")
    last_active: datetime = field(RO, "when the session was last used")
    pool: bool = field(RO, "true for a session between hosts of the pool")
    is_local_superuser: bool = field(RO, "true for the pool's root, who has every right")
    subject: Ref[Subject] = field(RO, "the subject whose rights the session has; null for root")
    validation_time: datetime = field(RO, "when the subject's account was last checked")
    auth_user_sid: str = field(RO, "the account's identifier at the external directory; empty for root")
    auth_user_name: str = field(RO, "the account's name, for people to read")
    rbac_permissions: Set[str] = field(
        STATIC_RO, "the messages that the session may call; empty for root, who may call all", ()
    )
    tasks: Set[Ref[Task]] = field(RO, "the tasks that the session started")
    parent: Ref[Session] = field(STATIC_RO, "the session that this one was made from", NULL)
    originator: str = field(RO, "the program that logged in, as it called itself")
    client_certificate: bool = field(RO, "true when the client proved itself with a certificate")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})

    @message(role=Role.READ_ONLY, errors=("SESSION_AUTHENTICATION_FAILED", "HOST_IS_SLAVE"), session=False)
    @staticmethod
    def login_with_password(uname: str, pwd: str, version: str = "1.1", originator: str = "") -> Ref[Session]:
        """Make a session from a user name and password; the master alone answers."""

    @message(session=False)
    @staticmethod
    def slave_local_login_with_password(uname: str, pwd: str) -> Ref[Session]:
        """Make a session that is good on this host alone, for emergencies when no master answers."""

    @message(role=Role.READ_ONLY)
    @staticmethod
    def logout() -> None:
        """End the calling session; its waiting calls fail."""

    @message()
    @staticmethod
    def local_logout() -> None:
        """End the calling session that is good on this host alone."""

    @message(role=Role.LOCAL_ROOT)
    @staticmethod
    def change_password(old_pwd: str, new_pwd: str) -> None:
        """Change the password of root on every host of the pool."""

    @message(role=Role.READ_ONLY)
    @staticmethod
    def get_all_subject_identifiers() -> Set[str]:
        """The directory identifiers of all accounts that have a session."""

    @message(role=Role.POOL_OPERATOR)
    @staticmethod
    def logout_subject_identifier(subject_identifier: str) -> None:
        """End every session of the account with this directory identifier."""

    @message(role=Role.LOCAL_ROOT)
    @staticmethod
    def create_from_db_file(filename: str) -> Ref[Session]:
        """Make a session on a database file. Cardume's database is no such file, so this is refused."""
