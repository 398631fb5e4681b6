"""Errors and alerts say what the public facts about XenAPI 2.23 say."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cardume.datamodel import api_messages, errors
from cardume.datamodel.errors import CODES, ErrorCode

FACTS_FILE = Path(__file__).parents[2] / "schema" / "xenapi-2.23.json"


@cache
def facts() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FACTS_FILE.read_text())
    return loaded


@pytest.mark.parametrize("declared", CODES.values(), ids=lambda declared: declared.code)
def test_a_declared_error_has_the_parameters_of_the_facts(declared: ErrorCode) -> None:
    if declared.code not in facts()["errors_without_parameters_listed"]:
        assert list(declared.params) == facts()["errors"][declared.code]


def test_every_error_is_declared_under_its_own_code() -> None:
    named = {name: value for name, value in vars(errors).items() if isinstance(value, ErrorCode)}
    assert {name: value.code for name, value in named.items()} == {code: code for code in CODES}


@pytest.mark.parametrize("declared", CODES.values(), ids=lambda declared: declared.code)
def test_the_sentence_of_an_error_is_one_that_a_person_can_read(declared: ErrorCode) -> None:
    assert declared.doc.endswith(".")
    assert len(declared.doc) <= 120
    assert declared.code not in declared.doc


def test_every_error_that_a_declared_message_names_is_declared() -> None:
    from cardume.datamodel.schema import schema

    named = {code for message in schema().messages() for code in message.errors}
    assert named - CODES.keys() == set()


def test_raising_an_error_gives_its_description_for_the_wire() -> None:
    raised = errors.VM_BAD_POWER_STATE("OpaqueRef:1", "halted", "running")
    assert raised.description == ["VM_BAD_POWER_STATE", "OpaqueRef:1", "halted", "running"]


def test_an_error_with_a_missing_parameter_is_refused_where_it_is_raised() -> None:
    with pytest.raises(AssertionError, match="VM_BAD_POWER_STATE takes"):
        errors.VM_BAD_POWER_STATE("OpaqueRef:1")


def test_a_failed_login_may_tell_the_user_name() -> None:
    assert errors.SESSION_AUTHENTICATION_FAILED("root", "wrong").description == [
        "SESSION_AUTHENTICATION_FAILED",
        "root",
        "wrong",
    ]


def test_a_storage_failure_carries_a_probes_xml_as_its_third_parameter() -> None:
    failure = errors.sr_backend_failure(errors.Backend.LUNS, "choose a LUN", "<iscsi-target/>")
    assert failure.description == ["SR_BACKEND_FAILURE_107", "", "choose a LUN", "<iscsi-target/>"]


def test_the_alerts_are_those_of_the_facts_with_their_priorities() -> None:
    assert {alert.name: alert.priority for alert in api_messages.ALERTS.values()} == facts()["api_messages"]
