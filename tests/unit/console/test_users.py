"""Users of a pool: who is listed with which role, and how rights are given, changed and taken away."""

from typing import Any

import pytest
from tests.unit.console.rooms import Room

from cardume.console.connections.failures import Refused
from cardume.console.presenters import users
from cardume.console.presenters.users import ROLES
from cardume.console.text.catalogue import Texts
from cardume.console.views.users import give_role, let_in
from cardume.datamodel.roles import Role
from cardume.messages.role import role_of

T = Texts("en")


def room() -> Room:
    made = Room("pool-g1")
    made.host("a")
    return made


def put_user(made: Room, uuid: str, name: str = "", *roles: str) -> Any:
    told = {"subject-name": name} if name else {}
    held = [ROLES[role] for role in roles]
    made.put("subject", uuid, subject_identifier=f"id-{uuid}", other_config=told, roles=held)
    return made.record("subject", uuid)


def test_the_roles_are_those_of_xenapi_from_most_to_least() -> None:
    found = [role_of(ref) for ref in ROLES.values()]  # type: ignore[arg-type]
    assert [role.wire_name for role in found if role is not None] == [*ROLES]
    assert [role for role in found if role is not None] == sorted(
        (role for role in Role if role is not Role.LOCAL_ROOT), reverse=True
    )


def test_users_are_listed_by_name_after_root_with_what_they_may_do() -> None:
    made = room()
    put_user(made, "s1", "Zoe", "read-only")
    put_user(made, "s2", "ana", "vm-operator", "pool-operator")
    put_user(made, "s3", "")
    rows = users.users(made.source(), T).rows
    assert [[cell.text for cell in row[:3]] for row in rows] == [
        ["root", "Everything", T("users.root")],
        ["ana", "Pool operator, VM operator", "servers, storage, networks, and VMs"],
        ["id-s3", "None", T("users.no_rights")],
        ["Zoe", "Read only", "look at everything, change nothing"],
    ]
    assert [[act.key for act in row[3].acts] for row in rows] == [[], *[["user_role", "user_remove"]] * 3]


def test_a_pool_that_is_away_changes_no_users() -> None:
    made = room()
    put_user(made, "s1", "ana", "read-only")
    (_, row) = users.users(made.source(connected=False), T).rows
    assert {act.why_not for act in row[3].acts} == {T("why.away")}


@pytest.mark.parametrize(
    ("name", "key"), [("", "no_name"), ("  ", "no_name"), ("root", "root"), (" ana ", "known"), ("bob", "")]
)
def test_what_keeps_an_account_from_being_added(name: str, key: str) -> None:
    made = room()
    put_user(made, "s1", "ana", "read-only")
    why = users.why_not_added({"name": name, "role": "read-only"}, made.source(), T)
    assert why == (T(f"users.{key}", name="ana") if key else "")


def test_the_commands_of_adding_and_of_another_role() -> None:
    made = room()
    ana = put_user(made, "s1", "ana", "vm-admin", "read-only")
    assert users.commands_to_add({"name": " ana b ", "role": "vm-admin"}) == (
        "xe subject-add subject-name='ana b'",
        "xe subject-role-add uuid=SUBJECT role-name=vm-admin",
    )
    assert users.commands_to_change(ana, "vm-operator") == (
        "xe subject-role-add uuid=s1 role-name=vm-operator",
        "xe subject-role-remove uuid=s1 role-name=read-only",
        "xe subject-role-remove uuid=s1 role-name=vm-admin",
    )
    assert users.commands_to_change(ana, "vm-admin") == ("xe subject-role-remove uuid=s1 role-name=read-only",)
    assert users.commands_to_change(put_user(made, "s2", "bob", "read-only"), "read-only") == ()


class Pool:
    """A connection to a pool with one subject; `refused` is a message that it refuses, with these first parameters."""

    def __init__(self, *roles: str, refused: tuple[str, ...] = ()) -> None:
        self.roles: list[str] | None = [ROLES[role] for role in roles]
        self.made: Any = None
        self._refused = refused

    async def call(self, method: str, *params: Any) -> Any:
        if self._refused and (method, *params)[: len(self._refused)] == self._refused:
            raise Refused(["RBAC_PERMISSION_DENIED", method])
        match method:
            case "auth.get_subject_identifier":
                return f"id-{params[0]}"
            case "auth.get_subject_information_from_identifier":
                return {"subject-displayname": "Ana"}
            case "role.get_by_name_label":
                return [ROLES[params[0]]]
            case "subject.create":
                self.made = params[0]
                return "subject:1"
            case "subject.destroy":
                self.made = self.roles = None
            case "subject.add_to_roles":
                assert self.roles is not None
                self.roles.append(params[1])
            case "subject.remove_from_roles":
                assert self.roles is not None
                self.roles.remove(params[1])
                assert self.roles, "who has no role is thrown out"
        return None


def of(pool: Pool) -> Any:
    return pool


async def test_an_account_becomes_a_user_with_a_role() -> None:
    pool = Pool()
    await let_in(of(pool), "ana", "vm-operator")
    told = {"subject-name": "ana", "subject-displayname": "Ana"}
    assert pool.made == {"subject_identifier": "id-ana", "other_config": told}
    assert pool.roles == [ROLES["vm-operator"]]


async def test_an_account_that_gets_no_role_is_no_user_either() -> None:
    pool = Pool(refused=("subject.add_to_roles",))
    with pytest.raises(Refused):
        await let_in(of(pool), "ana", "vm-operator")
    assert pool.made is None


async def test_another_role_takes_the_place_of_all_others_and_the_account_always_has_one() -> None:
    pool = Pool("pool-admin", "read-only")
    await give_role(of(pool), "subject:1", ["pool-admin", "read-only"], "vm-admin")
    assert pool.roles == [ROLES["vm-admin"]]


async def test_a_role_that_cannot_be_taken_leaves_the_account_with_the_rights_that_it_had() -> None:
    pool = Pool("vm-operator", refused=("subject.remove_from_roles", "subject:1", ROLES["vm-operator"]))
    with pytest.raises(Refused):
        await give_role(of(pool), "subject:1", ["vm-operator"], "pool-admin")
    assert pool.roles == [ROLES["vm-operator"]]


async def test_the_role_that_an_account_keeps_is_not_given_again() -> None:
    pool = Pool("vm-admin", "read-only", refused=("subject.add_to_roles",))
    await give_role(of(pool), "subject:1", ["vm-admin", "read-only"], "vm-admin")
    assert pool.roles == [ROLES["vm-admin"]]
