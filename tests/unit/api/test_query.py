"""The expressions of get_all_records_where."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
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


# Any expression, as text in one of its many spellings, asked of any record, against an evaluator of a few lines.

FIELDS = {"name__label": "one", "name_description": "", "is__a__template": "true", "memory__static_max": "512"}
SPELLED = {"name__label": "name_label", "is__a__template": "is_a_template", "memory__static_max": "memory_static_max"}
blanks = st.sampled_from([" ", "\t", "\n", "  ", " \n\t "])
values = st.one_of(
    st.sampled_from(sorted(FIELDS)).map(lambda name: ("field", name)),
    st.sampled_from(["one", "", "true", "false", "512", "0512", "ONE", "a b", "not", "(", "é", "\\", "field"]).map(
        lambda text: ("literal", text)
    ),
)
expressions = st.recursive(
    st.sampled_from([("true",), ("false",)]) | st.tuples(st.just("="), values, values),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=12,
)


def evaluated(tree: Any) -> bool:
    match tree:
        case ("true",):
            return True
        case ("false",):
            return False
        case ("not", inner):
            return not evaluated(inner)
        case ("and", left, right):
            return evaluated(left) and evaluated(right)
        case ("or", left, right):
            return evaluated(left) or evaluated(right)
        case ("=", left, right):
            return bool(plain(left) == plain(right))
    raise AssertionError(tree)


def plain(value: tuple[str, str]) -> str:
    return FIELDS[value[1]] if value[0] == "field" else value[1]


def spelled(draw: Any, tree: Any, *, alone: bool) -> str:
    """Text of a tree. alone: nothing follows it that a `not` would take, and nothing that binds it otherwise."""
    blank = draw(blanks)
    match tree:
        case ("true",) | ("false",):
            text = tree[0]
        case ("=", left, right):
            text = f"{written(draw, left)}{draw(st.sampled_from(['=', ' = ']))}{written(draw, right)}"
        case ("not", inner):
            text = f"not{blank}{spelled(draw, inner, alone=True)}"
        case (word, left, right):
            # To the left a chain needs no brackets; to the right only a `not` at the very end needs none.
            is_chain = left[0] in ("and", "or")
            first = (
                spelled(draw, left, alone=True)
                if is_chain and not ends_in_not(left)
                else spelled(draw, left, alone=False)
            )
            last = spelled(draw, right, alone=right[0] == "not" and alone)
            text = f"{first}{blank}{word}{draw(blanks)}{last}"
    is_simple = tree[0] in ("true", "false", "=")
    if (not alone and not is_simple) or draw(st.booleans()):
        return f"({draw(st.sampled_from(['', ' ']))}{text})"
    return str(text)


def ends_in_not(tree: Any) -> bool:
    return tree[0] in ("and", "or") and (tree[2][0] == "not" or ends_in_not(tree[2]))


def written(draw: Any, value: tuple[str, str]) -> str:
    kind, text = value
    if kind == "literal":
        return f'"{text}"'
    name = SPELLED.get(text, text) if draw(st.booleans()) else text
    return f'field{draw(st.sampled_from(["", " ", "  "]))}"{name}"'


@given(st.data(), expressions)
def test_any_expression_in_any_spelling_says_what_it_means(data: Any, tree: Any) -> None:
    text = spelled(data.draw, tree, alone=True)
    record = blank(VM, name_label="one", name_description="", is_a_template=True, memory_static_max=512)
    assert bool(chosen(text, it=record)) is evaluated(tree), text


@given(st.text(alphabet='truefalsnotadiy"()= \n\\&', max_size=40))
def test_no_text_does_anything_but_select_or_be_refused(text: str) -> None:
    try:
        chosen(text, it=blank(VM))
    except ApiError as error:
        refused = error
    else:
        return
    assert refused.code == "INVALID_VALUE"
