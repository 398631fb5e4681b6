"""The expressions of get_all_records_where."""

from typing import Any

import pytest
from tests.unit.api.served_api import blank

from cardume.api.query import Both, Constant, Either, Equal, FieldName, Literal, Not, parse, select
from cardume.datamodel.errors import ApiError
from cardume.datamodel.schema import schema
from cardume.datamodel.vm import VM

A = Equal(FieldName("a"), Literal("1"))
B = Equal(FieldName("b"), Literal("2"))
C = Equal(FieldName("c"), Literal("3"))
a, b, c = ('field "a" = "1"', 'field "b" = "2"', 'field "c" = "3"')


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("true", Constant(True)),
        (" \t\n(false) ", Constant(False)),
        (a, A),
        ('"1"=field"a"', Equal(Literal("1"), FieldName("a"))),
        (f"{a} and {b} or {c}", Either(Both(A, B), C)),
        (f"{a} or {b} and {c}", Both(Either(A, B), C)),
        (f"{a} or ({b} and {c})", Either(A, Both(B, C))),
        (f"not {a} and {b}", Not(Both(A, B))),
        (f"(not {a}) and {b}", Both(Not(A), B)),
        (f"{a} and not {b} or {c}", Both(A, Not(Either(B, C)))),
    ],
)
def test_expressions_bind_as_the_grammar_says(text: Any, tree: Any) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    "text",
    ["", "tru", "truefalse", "field a = b", '"a"', '"a" = ', "(true", "true)", "true and", '"a', "(" * 200 + "true"],
)
def test_what_is_no_expression_is_refused(text: Any) -> None:
    with pytest.raises(ApiError, match="INVALID_VALUE"):
        parse(text)


def chosen(text: str, **vms: Any) -> set[str]:
    return set(select(vms, text, schema().classes["VM"]))


def test_records_are_chosen_by_the_text_of_their_fields() -> None:
    vms = {
        "one": blank(VM, name_label="one", is_a_template=True, memory_static_max=512, tags=("x", "y")),
        "two": blank(VM, name_label="two", is_a_template=False, memory_static_max=1024),
    }
    assert chosen('field "is_a_template" = "true"', **vms) == {"one"}
    assert chosen('field "name__label" = "two"', **vms) == {"two"}
    assert chosen('field "name_label" = "two"', **vms) == {"two"}
    assert chosen('field "memory__static_max" = "1024"', **vms) == {"two"}
    assert chosen('not field "name_label" = "two" and field "is_a_template" = "false"', **vms) == {"one"}
    assert chosen("true", **vms) == {"one", "two"}


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(ApiError, match="nonsense"):
        chosen('field "nonsense" = "x"')


def test_a_long_chain_is_no_deep_recursion() -> None:
    text = " or ".join(f'field "uuid" = "{number}"' for number in range(1500))
    assert chosen(text, one=blank(VM, uuid="1499"), two=blank(VM, uuid="no")) == {"one"}
