"""Feature sets: as XenAPI writes them, and what processors have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardume.core.cpu_features import _BITS, _WORDS, common, decode, encode, lacks, libvirt_name

FLAGS = st.frozensets(st.sampled_from(sorted(_BITS)))


def test_every_word_of_cpuid_has_at_most_32_bits_and_every_name_one_place() -> None:
    assert all(len(names.split()) <= 32 for names in _WORDS)
    assert len(_BITS) == sum(name != "-" for names in _WORDS for name in names.split())


@pytest.mark.parametrize(
    ("flag", "word", "bit"),
    [
        ("fpu", 0, 0),
        ("sse2", 0, 26),
        ("pni", 1, 0),
        ("sse4_2", 1, 20),
        ("avx", 1, 28),
        ("hypervisor", 1, 31),
        ("syscall", 2, 11),
        ("nx", 2, 20),
        ("lm", 2, 29),
        ("lahf_lm", 3, 0),
        ("svm", 3, 2),
        ("topoext", 3, 22),
        ("xsaves", 4, 3),
        ("avx2", 5, 5),
        ("avx512f", 5, 16),
        ("smap", 5, 20),
        ("avx512vl", 5, 31),
        ("umip", 6, 2),
        ("la57", 6, 16),
        ("rdpid", 6, 22),
        ("clzero", 8, 0),
        ("ibpb", 8, 12),
        ("fsrm", 9, 4),
        ("md_clear", 9, 10),
        ("arch_capabilities", 9, 29),
    ],
)
def test_a_feature_is_the_bit_that_the_makers_manuals_say(flag: str, word: int, bit: int) -> None:
    words = encode([flag]).split("-")
    assert [int(each, 16) for each in words] == [1 << bit if place == word else 0 for place in range(len(_WORDS))]


def test_a_feature_set_is_written_in_words_of_eight_digits() -> None:
    assert encode(["fpu", "sse2", "constant_tsc", "rep_good"]).split("-")[0] == "04000001"
    assert encode([]) == "-".join(["00000000"] * 10)


@given(FLAGS)
def test_what_is_written_is_read(flags: frozenset[str]) -> None:
    assert decode(encode(flags)) == flags


@given(st.lists(FLAGS, min_size=1, max_size=4))
def test_in_common_is_what_each_has(sets: list[frozenset[str]]) -> None:
    shared = common(map(encode, sets))
    assert decode(shared) == frozenset.intersection(*sets)
    assert all(not lacks(encode(each), shared) for each in sets)


def test_what_is_missing_is_named() -> None:
    assert lacks(encode(["sse2"]), encode(["sse2", "avx2", "aes"])) == {"avx2", "aes"}
    assert lacks("", encode(["sse2"])) == {"sse2"}
    assert decode("no feature set") == frozenset()
    assert common([]) == encode([])


def test_libvirt_has_its_own_words_for_some() -> None:
    assert [libvirt_name(flag) for flag in ("sse4_1", "avx2", "tsc_deadline_timer")] == [
        "sse4.1",
        "avx2",
        "tsc-deadline",
    ]
