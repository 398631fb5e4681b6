"""What `@xenclass`, `field` and `@message` make of a declaration, shown on the declared classes themselves."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from cardume.datamodel.console import Console, ConsoleProtocol
from cardume.datamodel.declare import REGISTRY, REQUIRED, RO, field, xenclass
from cardume.datamodel.refs import NULL, Ref, new_ref, new_uuid
from cardume.datamodel.roles import Role
from cardume.datamodel.schema import Kind, schema
from cardume.datamodel.secret import Secret
from cardume.datamodel.session import Session
from cardume.datamodel.subject import Subject
from cardume.datamodel.vbd import VBD, VBDMode, VBDType
from cardume.datamodel.vm import VM
from cardume.datamodel.wiretypes import EPOCH

DRIVE = VBD(
    VM=Ref("OpaqueRef:1"),
    VDI=NULL,
    userdevice="0",
    bootable=True,
    mode=VBDMode.RW,
    type=VBDType.CD,
    empty=True,
    other_config={},
    qos_algorithm_type="",
    qos_algorithm_params={},
)


def test_a_record_is_made_from_what_the_constructor_must_be_given() -> None:
    assert (DRIVE.mode, DRIVE.userdevice) == (VBDMode.RW, "0")


def test_fields_that_the_server_fills_begin_with_their_types_zero() -> None:
    assert (DRIVE.uuid, DRIVE.status_code, DRIVE.storage_lock) == ("", 0, False)
    assert (DRIVE.qos_supported_algorithms, DRIVE.runtime_properties) == ((), {})
    assert (Session().last_active, Session().this_host) == (EPOCH, NULL)


def test_a_declared_default_is_taken() -> None:
    assert DRIVE.unpluggable is True
    assert Console(other_config={}).protocol is ConsoleProtocol.RFB


def test_maps_of_two_records_are_not_shared() -> None:
    assert Subject().other_config is not Subject().other_config


def test_a_record_without_a_required_field_is_refused() -> None:
    with pytest.raises(TypeError, match="value"):
        Secret()


def test_a_record_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        Secret(value="s3cret", colour="red")  # type: ignore[call-arg]  # what is tested


def test_a_record_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DRIVE.mode = VBDMode.RO  # type: ignore[misc]  # what is tested

    assert dataclasses.replace(DRIVE, mode=VBDMode.RO).mode is VBDMode.RO


def test_a_message_knows_its_class_and_drops_the_underscore_that_python_wants() -> None:
    assert VM.start.full_name == "VM.start"
    assert VM.import_.full_name == "VM.import"


def test_a_name_is_declared_once() -> None:
    with pytest.raises(AssertionError, match="VBD is declared twice"):

        @xenclass(name="VBD")
        class Drive:
            uuid: str = field(RO, "the object's unique identifier")

    assert REGISTRY["VBD"].python is VBD


def test_a_read_only_enum_needs_a_default() -> None:
    with pytest.raises(AssertionError, match=r"Odd\.mode: .*VBDMode.* needs a default"):

        @xenclass()
        class Odd:
            mode: VBDMode = field(RO, "whether the guest may write")


def test_a_message_is_found_by_its_full_name_only() -> None:
    found = schema().find_message("VM.import")

    assert found is not None
    assert (found.kind, found.role, found.required_count) == (Kind.DECLARED, Role.POOL_OPERATOR, 4)
    assert schema().find_message("vm.import") is None
    assert schema().find_message("VM.imp") is None
    assert schema().find_message("nonsense") is None


def test_the_object_itself_is_the_first_parameter_whatever_it_is_called() -> None:
    insert = schema().classes["VBD"].messages["insert"]

    assert [(param.name, str(param.type)) for param in insert.params] == [("vbd", "VBD ref"), ("vdi", "VDI ref")]


def test_a_map_brings_accessors_for_single_keys_and_a_set_of_texts_for_single_members() -> None:
    vm = schema().classes["VM"].messages

    assert vm["add_to_xenstore_data"].kind is Kind.ADD_TO_MAP
    assert vm["remove_from_xenstore_data"].kind is Kind.REMOVE_FROM_MAP
    assert (vm["add_tags"].kind, vm["add_tags"].role) == (Kind.ADD_TO_SET, Role.VM_OPERATOR)
    assert vm["remove_tags"].kind is Kind.REMOVE_FROM_SET


def test_a_secret_is_read_by_pool_operators_only() -> None:
    secret = schema().classes["secret"].messages

    assert secret["get_value"].role is Role.POOL_OPERATOR
    assert secret["get_record"].role is Role.POOL_OPERATOR
    assert secret["get_all_records"].role is Role.POOL_OPERATOR
    assert secret["get_other_config"].role is Role.READ_ONLY


def test_a_set_that_the_database_keeps_names_the_field_behind_it() -> None:
    drives = schema().classes["VM"].fields["VBDs"]

    assert (drives.backref, drives.stored, drives.default) == (("VBD", "VM"), False, ())


def test_a_field_that_a_constructor_must_be_given_says_so() -> None:
    fields = schema().classes["VBD"].fields

    assert fields["mode"].default is REQUIRED
    assert fields["status_code"].default == 0


def test_the_class_of_a_record_is_known() -> None:
    assert schema().of(DRIVE).name == "VBD"
    assert schema().of(Session(last_active=datetime(2026, 1, 2, tzinfo=UTC))).name == "session"


def test_references_are_opaque_and_new_ones_differ() -> None:
    first, second = new_ref(), new_ref()

    assert first.startswith("OpaqueRef:")
    assert first != second
    assert not first.is_null
    assert NULL.is_null
    assert new_uuid() != new_uuid()


def test_roles_rise_from_read_only_to_the_superuser() -> None:
    assert [role.wire_name for role in sorted(Role)] == [
        "read-only",
        "vm-operator",
        "vm-admin",
        "vm-power-admin",
        "pool-operator",
        "pool-admin",
        "local-root",
    ]
