"""Facts as LVM tags: what goes in comes out, and LVM takes every tag."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardume.hostops.storage.lvm.tags import Tagged, changed_tags, from_tags, to_tags

ALLOWED = re.compile(r"[A-Za-z0-9_+./=!:&#][A-Za-z0-9_+.\-/=!:&#]{0,1023}")
KEYS = st.text(min_size=1, max_size=20)
MARKS = st.frozensets(st.from_regex(r"[a-z][a-z.]{0,15}", fullmatch=True), max_size=3)


@given(MARKS, st.dictionaries(KEYS, st.text(max_size=60), max_size=4))
def test_what_goes_in_comes_out(marks: frozenset[str], facts: dict[str, str]) -> None:
    tags = to_tags(marks, facts)
    assert all(ALLOWED.fullmatch(tag) for tag in tags)
    assert from_tags(tags) == Tagged(marks, facts)


@given(st.text(min_size=300, max_size=1200).map(lambda text: (text * 27)[:8192]))
def test_a_long_text_comes_out_of_many_tags(text: str) -> None:
    tags = to_tags((), {"name_description": text})
    assert max(map(len, tags)) <= 1000
    assert from_tags(tags).facts == {"name_description": text}


@given(st.frozensets(st.from_regex(ALLOWED, fullmatch=True).map(lambda tag: tag[:40]), max_size=6))
def test_tags_of_others_do_no_harm(tags: frozenset[str]) -> None:
    from_tags(tags)


@pytest.mark.parametrize(
    ("facts", "tags"),
    [
        ({"virtual_size": "1048576"}, {"virtual_size=1048576"}),
        ({"name_label": "São Paulo & cia"}, {"name_label=S&C3&A3o&20Paulo&20&26&20cia"}),
        ({"name_label": ""}, {"name_label="}),
        ({"a.b": "c=d.e"}, {"a&2Eb=c=d.e"}),
        ({"-": "x"}, {"&2D=x"}),
        ({"k": "x" * 1000}, {"k.0=" + "x" * 790, "k.1=" + "x" * 210}),
    ],
)
def test_how_it_is_written(facts: dict[str, str], tags: set[str]) -> None:
    assert to_tags((), facts) == tags


@pytest.mark.parametrize("tags", [{"a.0=x", "a.2=y"}, {"a=x", "a.0=y"}, {"a=&"}, {"a=&ZZ"}, {"a=&FF"}, {"a.1=x"}])
def test_a_fact_of_which_something_is_missing_is_told_apart(tags: set[str]) -> None:
    assert from_tags(tags) == Tagged(frozenset(), {}, frozenset({"a"}))


@pytest.mark.parametrize(
    ("mark", "key"), [("", "k"), ("-x", "k"), ("a b", "k"), ("m" * 1001, "k"), ("m", ""), ("m", "k" * 201)]
)
def test_what_cannot_be_a_tag_is_refused(mark: str, key: str) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        to_tags([mark], {key: ""})


def test_what_has_changed() -> None:
    assert changed_tags({"a", "b=1"}, {"a", "b=2"}) == (frozenset({"b=2"}), frozenset({"b=1"}))
