"""Who may call what: every message and every role, against the facts and not against what we declared."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.api.served_api import Api, Refused, served
from tests.unit.datamodel.facts import facts

from cardume.api.dispatch import EMERGENCY_CALLS, Peer
from cardume.api.rpc import Request
from cardume.api.server import load_messages
from cardume.datamodel.errors import ApiError
from cardume.datamodel.roles import Role
from cardume.datamodel.schema import schema
from cardume.messages.registry import IMPLEMENTATIONS
from cardume.messages.role import permissions
from cardume.messages.session import ROOT, Identity

FALLING = ("pool-admin", "pool-operator", "vm-power-admin", "vm-admin", "vm-operator", "read-only")
SUBJECTS = {role: Identity(role, Role[role.upper().replace("-", "_")], sid=role) for role in FALLING}

BEFORE_THE_ROLE = frozenset(
    {
        "MESSAGE_METHOD_UNKNOWN",
        "SESSION_INVALID",
        "MESSAGE_PARAMETER_COUNT_MISMATCH",
        "FIELD_TYPE_ERROR",
        "INVALID_VALUE",
        "INTERNAL_ERROR",
    }
)
"""Refusals that would hide whether the role was asked for."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    load_messages()
    async with served(tmp_path) as made:
        yield made


async def sessions(api: Api) -> dict[str, str]:
    """A session for each of the six roles."""
    return {role: await api.server.sessions.open(identity, "", "") for role, identity in SUBJECTS.items()}


def allowed(role: str) -> frozenset[str]:
    """The six roles' part that a message's least role lets in, as the facts write it."""
    least = role.removesuffix("+cert")
    return frozenset() if least == "local-root" else frozenset(FALLING[: FALLING.index(least) + 1])


def known_messages() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for cls, known in sorted(facts()["classes"].items()):
        for fact in known["messages"]:
            yield cls, fact["n"], fact


def plain(of: str) -> Any:
    """A value of a type of the facts that means nothing to anybody."""
    match of:
        case "bool":
            return False
        case "int" | "float":
            return 0
        case "datetime":
            return "19700101T00:00:00Z"
        case text if text.endswith(" map") or text.endswith(" record"):
            return {}
        case text if text.endswith((" set", " option")):
            return []
        case text if text.startswith("enum "):
            return facts()["enums"][text.removeprefix("enum ")][0]
    return ""


def filled(cls: str) -> dict[str, Any]:
    """A record that a constructor takes: every field that it needs."""
    fields = facts()["classes"][cls]["fields"]
    return {field["n"]: plain(field["t"]) for field in fields if field["q"] != "RO"}


def arguments(cls: str, fact: dict[str, Any]) -> list[Any]:
    known = {"expr": "true"}
    return [filled(cls) if of == f"{cls} record" else known.get(name, plain(of)) for name, of, *_ in fact["p"]]


async def is_denied(api: Api, method: str, session: str, params: list[Any]) -> list[str] | None:
    """The denial, if the call is denied for its role; None when it fails or succeeds otherwise."""
    try:
        await api.server.dispatcher.call(Request(method, (session, *params)), Peer(""))
    except ApiError as error:
        refusal = error.description
    else:
        return None
    assert refusal[0] not in BEFORE_THE_ROLE, f"{method}{params}: {refusal}"
    return refusal if refusal[0] == "RBAC_PERMISSION_DENIED" else None


async def test_every_message_is_for_the_roles_of_the_facts_and_no_other(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing is done: it is the question before the deed that is tried, some ten thousand times.
    for name in list(IMPLEMENTATIONS):
        monkeypatch.delitem(IMPLEMENTATIONS, name)
    by_role = await sessions(api)
    root = await api.server.sessions.open(ROOT, "", "")
    tried = 0
    for cls, name, fact in known_messages():
        method = f"{cls}.{name}"
        if schema().find_message(method) is None or not fact.get("session", True):
            continue
        names = [method, f"{cls}_{name}", *([f"Async.{method}"] if fact.get("async", True) else [])]
        for called in names:
            denied = {role: await is_denied(api, called, ref, arguments(cls, fact)) for role, ref in by_role.items()}
            got_in = frozenset(role for role, refusal in denied.items() if refusal is None)
            assert got_in == allowed(fact["role"]), called
            for role, refusal in denied.items():
                assert refusal in (None, ["RBAC_PERMISSION_DENIED", method.lower(), f"{role} has the role {role}."])
            assert await is_denied(api, called, root, arguments(cls, fact)) is None, called
            tried += len(denied) + 1
    assert tried > 5000


async def test_every_key_with_a_role_of_its_own_is_for_that_role(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(IMPLEMENTATIONS):
        monkeypatch.delitem(IMPLEMENTATIONS, name)
    by_role = await sessions(api)
    tried = 0
    for cls, name, fact in known_messages():
        for pattern, least in fact.get("key_roles", {}).items():
            if schema().find_message(f"{cls}.{name}") is None:
                continue
            key = pattern.replace("*", "anything")
            params = ["OpaqueRef:none", key, "value"][: len(fact["p"])]
            denied = {role: await is_denied(api, f"{cls}.{name}", ref, params) for role, ref in by_role.items()}
            assert frozenset(role for role, refusal in denied.items() if refusal is None) == allowed(least)
            permission = f"{cls.lower()}.{name}/key:{pattern}"
            assert {refusal[1] for refusal in denied.values() if refusal} <= {permission}
            beside = ["OpaqueRef:none", key + "-other" if "*" not in pattern else "XenCenter", "value"]
            denied = {
                role: await is_denied(api, f"{cls}.{name}", ref, beside[: len(params)]) for role, ref in by_role.items()
            }
            assert frozenset(role for role, refusal in denied.items() if refusal is None) == allowed(fact["role"])
            tried += 1
    assert tried >= 20


async def refusal(api: Api, method: str, *params: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        await api.rpc(method, *params)
    return refused.value.description


async def test_a_key_that_one_may_not_add_does_not_come_with_the_whole_map(api: Api) -> None:
    by_role = await sessions(api)
    vmadmin, admin = by_role["vm-admin"], by_role["pool-admin"]
    denied = ["RBAC_PERMISSION_DENIED", "vm.add_to_other_config/key:pci", "vm-admin has the role vm-admin."]
    assert await refusal(api, "VM.set_other_config", vmadmin, api.vm, {"pci": "0/0000:00:1f.0"}) == denied
    await api.rpc("VM.set_other_config", admin, api.vm, {"pci": "0/0000:00:1f.0"})
    await api.rpc("VM.set_other_config", vmadmin, api.vm, {"pci": "0/0000:00:1f.0", "more": "1"})
    assert await refusal(api, "VM.set_other_config", vmadmin, api.vm, {"more": "1"}) == denied
    assert await refusal(api, "VM.set_other_config", vmadmin, api.vm, {"pci": "other", "more": "1"}) == denied
    await api.rpc("VM.set_other_config", admin, api.vm, {})
    platform = ["RBAC_PERMISSION_DENIED", "vm.add_to_platform/key:hvm_serial", "vm-admin has the role vm-admin."]
    assert await refusal(api, "VM.set_platform", vmadmin, api.vm, {"hvm_serial": "tcp:1.2.3.4:5"}) == platform
    made = {**filled("VM"), "other_config": {"pci": "0/0000:00:1f.0"}}
    assert await refusal(api, "VM.create", vmadmin, made) == denied
    # A map whose keys need less than it does is no way around either.
    operator = by_role["vm-operator"]
    assert (await refusal(api, "VM.set_other_config", operator, api.vm, {"folder": "/x"}))[1] == "vm.set_other_config"


async def test_events_tell_only_of_classes_that_everybody_may_read(api: Api) -> None:
    readers = ("get_record", "get_all", "get_all_records", "get_all_records_where", "get_by_uuid")
    hidden = {cls for cls, name, fact in known_messages() if name in readers and fact["role"] != "read-only"}
    assert "secret" in hidden
    told = {cls.name for cls in schema().classes.values() if cls.events}
    assert {"VM", "pool", "task"} <= told
    assert told & hidden == frozenset()


async def test_a_task_is_its_users_and_an_operators_of_the_pool(api: Api) -> None:
    by_role = await sessions(api)
    reader, other = by_role["read-only"], by_role["vm-power-admin"]
    own = await api.rpc("task.create", reader, "mine", "")
    for name, *value in (
        ("cancel",),
        ("destroy",),
        ("set_status", "success"),
        ("set_progress", 0.5),
        ("set_result", ""),
        ("set_error_info", []),
        ("set_other_config", {}),
        ("add_to_other_config", "k", "v"),
        ("remove_from_other_config", "k"),
    ):
        denied = await refusal(api, f"task.{name}", other, own, *value)
        assert denied[:2] == ["RBAC_PERMISSION_DENIED", f"task.{name}/any"]
        assert permissions()[f"task.{name}/any"] is Role.POOL_OPERATOR
    await api.rpc("task.set_progress", reader, own, 0.5)
    # The task stays the user's when the session is over.
    await api.rpc("session.logout", reader)
    again = await api.server.sessions.open(SUBJECTS["read-only"], "", "")
    await api.rpc("task.set_progress", again, own, 0.75)
    await api.rpc("task.destroy", by_role["pool-operator"], own)
    assert api.db.find(own) is None


def test_the_calls_of_an_emergency_are_those_of_the_facts() -> None:
    assert sorted(EMERGENCY_CALLS) == sorted(facts()["emergency_calls"])


def test_no_permission_is_missing_from_the_roles() -> None:
    known = {f"{cls}.{name}".lower(): fact["role"] for cls, name, fact in known_messages()}
    ours = permissions()
    for name, role in known.items():
        if name in ours:
            assert ours[name].wire_name == role.removesuffix("+cert"), name
    assert ours["http/put_import"] is Role.VM_ADMIN
    assert ours["http/connect_console/host_console"] is Role.POOL_ADMIN
    assert "http/post_cli" not in ours
