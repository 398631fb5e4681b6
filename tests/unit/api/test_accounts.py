"""Accounts that are not root: what they are to the pool, and how a change of their rights reaches live sessions."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.api.served_api import Api, Refused, served

from cardume.api.authentication import PasswordAuthenticator
from cardume.core.passwords import hash_password
from cardume.daemons.accounts import AccountFile
from cardume.datamodel.session import Session
from cardume.messages.session import Identity
from cardume.messages.subject import grant


class Accounts:
    """The real accounts' file, and rights from the served database."""

    def __init__(self, folder: Path) -> None:
        self.file = AccountFile(folder / "passwd")
        self.api: Api | None = None
        self.authenticator = PasswordAuthenticator(self.file, self.grant, first_delay_s=0.01, longest_delay_s=0.01)

    def grant(self, user: str) -> Identity | None:
        assert self.api is not None
        return grant(self.api.db, user, self.file.find_identifier(user))


@pytest.fixture
async def accounts(tmp_path: Path) -> Accounts:
    accounts = Accounts(tmp_path)
    await accounts.file.set_password("root", hash_password("root-pw"))
    await accounts.file.add("ana", hash_password("ana-pw"))
    return accounts


@pytest.fixture
async def api(tmp_path: Path, accounts: Accounts) -> AsyncIterator[Api]:
    more: dict[str, Any] = {"authenticator": accounts.authenticator, "services": {"directory": accounts.file}}
    async with served(tmp_path, **more) as made:
        accounts.api = made
        yield made


async def refusal(api: Api, method: str, *params: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        await api.rpc(method, *params)
    return refused.value.description


async def make_subject(api: Api, root: str, role: str) -> tuple[str, str]:
    """Ana as a subject, as clients make one."""
    identifier = await api.rpc("auth.get_subject_identifier", root, "ana")
    told = await api.rpc("auth.get_subject_information_from_identifier", root, identifier)
    subject = await api.rpc("subject.create", root, {"subject_identifier": identifier, "other_config": told})
    await give(api, root, subject, role)
    return subject, identifier


async def give(api: Api, root: str, subject: str, role: str) -> None:
    await api.rpc("subject.add_to_roles", root, subject, await role_ref(api, root, role))


async def role_ref(api: Api, root: str, role: str) -> str:
    (ref,) = await api.rpc("role.get_by_name_label", root, role)
    return str(ref)


async def test_an_account_without_a_role_proves_itself_and_is_not_let_in(api: Api) -> None:
    failed = await refusal(api, "session.login_with_password", "ana", "wrong")
    assert failed[:2] == ["SESSION_AUTHENTICATION_FAILED", "ana"]
    denied = await refusal(api, "session.login_with_password", "ana", "ana-pw")
    assert denied[:2] == ["SESSION_AUTHORIZATION_FAILED", "ana"]
    header = {"Authorization": "Basic " + base64.b64encode(b"ana:ana-pw").decode()}
    async with api.http.get(f"{api.url}/rrd_updates", headers=header) as got:
        assert got.status == 403


async def test_an_account_with_a_role_is_its_subject(api: Api) -> None:
    root = await api.login()
    subject, identifier = await make_subject(api, root, "vm-operator")
    assert (await api.rpc("subject.get_other_config", root, subject))["subject-name"] == "ana"
    ana = await api.login("ana")
    assert await api.rpc("session.get_subject", ana, ana) == subject
    assert await api.rpc("session.get_auth_user_sid", ana, ana) == identifier
    assert await api.rpc("session.get_auth_user_name", ana, ana) == "ana"
    assert await api.rpc("session.get_is_local_superuser", ana, ana) is False
    rights = await api.rpc("session.get_rbac_permissions", ana, ana)
    assert sorted(rights) == sorted(await api.rpc("subject.get_permissions_name_label", ana, subject))
    assert "vm.start" in rights
    assert "vm.create" not in rights
    assert await api.rpc("session.get_all_subject_identifiers", ana) == [identifier]
    denied = await refusal(api, "VM.set_name_label", ana, api.vm, "x")
    assert denied == ["RBAC_PERMISSION_DENIED", "vm.set_name_label", "ana has the role vm-operator."]
    assert (await refusal(api, "session.change_password", ana, "ana-pw", "x"))[0] == "RBAC_PERMISSION_DENIED"
    local = await refusal(api, "session.slave_local_login_with_password", "ana", "ana-pw")
    assert local[0] == "SESSION_AUTHENTICATION_FAILED"


async def test_the_directory_answers_for_accounts_that_it_knows(api: Api) -> None:
    root = await api.login()
    identifier = await api.rpc("auth.get_subject_identifier", root, "ana")
    assert await api.rpc("auth.get_group_membership", root, identifier) == []
    for name in ("bia", "root", ""):
        assert await refusal(api, "auth.get_subject_identifier", root, name) == ["SUBJECT_CANNOT_BE_RESOLVED"]
    for method in ("get_subject_information_from_identifier", "get_group_membership"):
        assert await refusal(api, f"auth.{method}", root, "S-1-5-21") == ["SUBJECT_CANNOT_BE_RESOLVED"]


async def test_a_role_given_or_taken_counts_in_sessions_that_are_there(api: Api) -> None:
    root = await api.login()
    subject, _ = await make_subject(api, root, "read-only")
    ana = await api.login("ana")
    assert (await refusal(api, "VM.set_name_label", ana, api.vm, "x"))[0] == "RBAC_PERMISSION_DENIED"
    await give(api, root, subject, "vm-admin")
    await api.rpc("VM.set_name_label", ana, api.vm, "x")
    assert "vm.set_name_label" in await api.rpc("session.get_rbac_permissions", ana, ana)
    await api.rpc("subject.remove_from_roles", root, subject, await role_ref(api, root, "vm-admin"))
    assert (await refusal(api, "VM.set_name_label", ana, api.vm, "x"))[2] == "ana has the role read-only."
    assert "vm.set_name_label" not in await api.rpc("session.get_rbac_permissions", ana, ana)


@pytest.mark.parametrize("how", ["role", "subject"])
async def test_who_loses_the_last_role_or_the_subject_is_logged_out_while_it_waits(api: Api, how: str) -> None:
    root = await api.login()
    subject, _ = await make_subject(api, root, "vm-operator")
    ana = await api.login("ana")
    token = (await api.rpc("event.from", ana, ["vm"], "", 0.0))["token"]
    waiting = asyncio.ensure_future(refusal(api, "event.from", ana, ["vm"], token, 60.0))
    await asyncio.sleep(0.1)
    if how == "role":
        await api.rpc("subject.remove_from_roles", root, subject, await role_ref(api, root, "vm-operator"))
    else:
        await api.rpc("subject.destroy", root, subject)
    assert await asyncio.wait_for(waiting, 60) == ["SESSION_INVALID", ana]
    assert await refusal(api, "VM.get_all", ana) == ["SESSION_INVALID", ana]
    assert len(api.db.all(Session)) == 1
    assert (await refusal(api, "session.login_with_password", "ana", "ana-pw"))[0] == "SESSION_AUTHORIZATION_FAILED"


async def test_a_subject_that_changes_without_its_messages_counts_too(api: Api) -> None:
    root = await api.login()
    subject, _ = await make_subject(api, root, "vm-admin")
    ana = await api.login("ana")
    await api.db.update(subject, roles=())  # type: ignore[arg-type]  # as the pool's database brings it from elsewhere
    assert await refusal(api, "VM.get_all", ana) == ["SESSION_INVALID", ana]


async def test_sessions_of_a_removed_account_end_with_the_next_housekeeping(api: Api, accounts: Accounts) -> None:
    root = await api.login()
    await make_subject(api, root, "vm-operator")
    ana = await api.login("ana")
    await api.server.sessions.housekeep()
    await api.rpc("VM.get_all", ana)
    await accounts.file.remove("ana")
    await api.server.sessions.housekeep()
    assert await refusal(api, "VM.get_all", ana) == ["SESSION_INVALID", ana]
    assert await api.rpc("VM.get_all", root) == [api.vm]
    # Another account of the same name is not the subject that the first one was.
    await accounts.file.add("ana", hash_password("ana-pw"))
    assert (await refusal(api, "session.login_with_password", "ana", "ana-pw"))[0] == "SESSION_AUTHORIZATION_FAILED"


async def test_others_of_the_account_are_logged_out_and_the_caller_is_not(api: Api) -> None:
    root = await api.login()
    _, identifier = await make_subject(api, root, "pool-operator")
    first, second = await api.login("ana"), await api.login("ana")
    await api.rpc("session.logout_subject_identifier", first, identifier)
    assert await refusal(api, "VM.get_all", second) == ["SESSION_INVALID", second]
    assert await api.rpc("VM.get_all", first) == [api.vm]
    await api.rpc("session.logout_subject_identifier", root, "")
    assert await api.rpc("VM.get_all", root) == [api.vm]


async def test_logging_out_ends_this_session_once_and_no_other(api: Api) -> None:
    first, second = await api.login(), await api.login()
    assert await refusal(api, "session.local_logout", first) == ["SESSION_INVALID", first]
    await api.rpc("session.logout", first)
    assert await refusal(api, "session.logout", first) == ["SESSION_INVALID", first]
    assert await refusal(api, "session.logout", "OpaqueRef:none") == ["SESSION_INVALID", "OpaqueRef:none"]
    assert await api.rpc("VM.get_all", second) == [api.vm]
    local = await api.rpc("session.slave_local_login_with_password", "root", "root-pw")
    assert await refusal(api, "session.logout", local) == ["SESSION_INVALID", local]
    await api.rpc("session.local_logout", local)
    assert await refusal(api, "session.local_logout", local) == ["SESSION_INVALID", local]


async def test_root_changes_its_password_in_the_accounts_file(api: Api, accounts: Accounts) -> None:
    root = await api.login()
    await api.rpc("session.change_password", root, "root-pw", "new-pw")
    assert (await refusal(api, "session.login_with_password", "root", "root-pw"))[0] == "SESSION_AUTHENTICATION_FAILED"
    await api.rpc("session.login_with_password", "root", "new-pw")
    kept = accounts.file.find_password("root")
    assert kept is not None
    assert kept.startswith("scrypt$")
    assert await api.rpc("VM.get_all", root) == [api.vm]
