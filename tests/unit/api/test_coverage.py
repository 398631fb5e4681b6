"""The coverage page tells the truth, and each message that clients miss has a reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cardume.api.coverage import Answer, ClientMessage, answer_to, page, read_client_messages, wrong_reasons
from cardume.api.server import load_messages
from cardume.messages.registry import IMPLEMENTATIONS, Implementation

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


@pytest.fixture(autouse=True)
def all_messages() -> None:
    load_messages()


@pytest.fixture
def without_start() -> Iterator[None]:
    """VM.start's function taken away."""
    function: Implementation = IMPLEMENTATIONS.pop("VM.start")
    yield
    IMPLEMENTATIONS["VM.start"] = function


def used() -> list[ClientMessage]:
    return read_client_messages((REFERENCE / "client-messages.tsv").read_text())


def test_the_coverage_page_is_up_to_date() -> None:
    assert (REFERENCE / "coverage.md").read_text() == page(used()), "run `make docs`"


def test_a_message_that_clients_use_is_implemented_or_has_a_reason_and_never_both() -> None:
    wrong = list(wrong_reasons(used()))

    assert not wrong, "mend docs/reference/client-messages.tsv:\n" + "\n".join(wrong)


def test_the_table_has_every_message_that_two_or_more_clients_use_once() -> None:
    names = [message.name for message in used()]

    assert (len(names), len(set(names))) == (211, 211)
    assert [message.name for message in used() if len(message.calls) < 2] == []


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("VM.start", Answer.IMPLEMENTED),
        ("VM.set_tags", Answer.DERIVED),
        ("VM.get_all_records", Answer.DERIVED),
        ("message.get_all_records", Answer.DERIVED),  # spelled out by XenAPI, read as all the others
        ("VBD.create", Answer.IMPLEMENTED),
        ("user.create", Answer.MISSING),  # a constructor does what its class wants
        ("VGPU.create", Answer.MISSING),
        ("VM.fly", Answer.MISSING),
    ],
)
def test_where_an_answer_comes_from(name: str, answer: Answer) -> None:
    assert answer_to(name) is answer


def test_a_field_whose_change_does_something_is_derived_only_with_its_setter() -> None:
    setter = IMPLEMENTATIONS.pop("network.set_MTU", None)
    try:
        assert answer_to("network.set_MTU") is Answer.MISSING
        assert answer_to("network.set_name_label") is Answer.DERIVED
    finally:
        if setter is not None:
            IMPLEMENTATIONS["network.set_MTU"] = setter


@pytest.mark.usefixtures("without_start")
def test_a_missing_message_wants_a_reason_and_only_a_known_one() -> None:
    def told(waits_for: str) -> list[str]:
        return list(wrong_reasons([ClientMessage("VM.start", {"XO Lite": 2}, waits_for)]))

    assert told("") == ["VM.start is not implemented, and '' is no reason"]
    assert told("next year") == ["VM.start is not implemented, and 'next year' is no reason"]
    assert told("pools") == []
    assert told("not planned: hardware passthrough") == []


def test_an_implemented_message_waits_for_nothing() -> None:
    wrong = list(wrong_reasons([ClientMessage("VM.start", {"XO Lite": 2}, "pools")]))

    assert wrong == ["VM.start is implemented, and still waits for 'pools'"]


def test_a_row_of_the_table_is_read() -> None:
    table = "message\tXen Orchestra\tXenCenter\twaits for\nVM.start\t7\t0\nVM.fly\t0\t2\tpools\n"

    assert read_client_messages(table) == [
        ClientMessage("VM.start", {"Xen Orchestra": 7}, ""),
        ClientMessage("VM.fly", {"XenCenter": 2}, "pools"),
    ]
