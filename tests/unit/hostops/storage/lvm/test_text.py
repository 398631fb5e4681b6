"""The parser of LVM's text, on what LVM writes and on what anybody could."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.hostops.storage.lvm.captured import captured

from cardume.hostops.storage.lvm.errors import DamagedMetadata
from cardume.hostops.storage.lvm.reader import read_physical_volume
from cardume.hostops.storage.lvm.text import Section, parse_text
from cardume.hostops.storage.lvm.volume_group import parse_group

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.+\-]{0,20}", fullmatch=True)
SCALARS = st.integers(-(10**18), 10**18) | st.text(st.characters(codec="utf-8"), max_size=30)
VALUES = SCALARS | st.lists(SCALARS, max_size=5).map(tuple)
SECTIONS = st.recursive(
    st.dictionaries(NAMES, VALUES, max_size=5),
    lambda inner: st.dictionaries(NAMES, VALUES | inner, max_size=4),
    max_leaves=12,
)


def written(section: Section, indent: str = "") -> str:
    """A section as LVM writes it."""
    lines = []
    for key, value in section.items():
        if isinstance(value, dict):
            lines.append(f"{indent}{key} {{\n{written(value, indent + chr(9))}{indent}}}\n")
        elif isinstance(value, tuple):
            lines.append(f"{indent}{key} = [{', '.join(map(scalar, value))}]\n")
        else:
            lines.append(f"{indent}{key} = {scalar(value)}\t# a remark\n")
    return "".join(lines)


def scalar(value: object) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else str(value)


@given(SECTIONS)
def test_what_is_written_is_read(section: Section) -> None:
    assert parse_text(written(section).encode() + b"\0") == section


@given(st.binary(max_size=400) | st.text('{}[]="\\#,\n a1', max_size=200).map(str.encode))
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        text = parse_text(data)
    except DamagedMetadata:
        return
    try:
        parse_group(text, "uuid")
    except DamagedMetadata:
        pass  # refused as well


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a {", "end of the metadata text is missing"),
        (b"a { b = 1", "end of the metadata text is missing"),
        (b"}", "was not begun"),
        (b"a = ", "line 1"),
        (b"\n\na = [1, ", "line 3"),
        (b"a = [1 2]", "line 1"),
        (b'a = "x', "line 1"),
        (b"a = 1 a = 2", "twice"),
        (b"a = 1x", "line 1"),
        (b"a = " + b"9" * 5000, "line 1"),
        (b"a {" * 100, "in one another"),
        (b"a = [[1]]", "line 1"),
        (b" " * ((64 << 20) + 1), "more than"),
    ],
)
def test_damaged_text_is_refused_with_its_line(data: bytes, why: str) -> None:
    with pytest.raises(DamagedMetadata, match=why):
        parse_text(data)


@pytest.mark.parametrize("piece", [b'"', b"#\n", b"\\", b"a ", b"a = [", b'a = "\\', b" \n", b"a=[1,", b'"a\\"'])
def test_hostile_text_costs_no_more_than_its_length(piece: bytes) -> None:
    with pytest.raises(DamagedMetadata):
        parse_text(piece * 200_000 + b"\n=")


def test_every_cut_of_a_real_text_is_refused_or_whole() -> None:
    volume = read_physical_volume(captured("foreign-0"))
    assert volume is not None
    text = volume.text.rstrip(b"\0")
    whole = parse_group(parse_text(text), volume.label.uuid)
    for length in range(0, len(text), 13):
        try:
            found = parse_group(parse_text(text[:length]), volume.label.uuid)
        except DamagedMetadata:
            continue
        assert found == whole


@given(st.data())
def test_a_real_text_with_bytes_changed_is_read_or_refused(data: st.DataObject) -> None:
    volume = read_physical_volume(captured("foreign-1"))
    assert volume is not None
    text = bytearray(volume.text)
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        group = parse_group(parse_text(bytes(text)), volume.label.uuid)
        assert group.free_extents <= group.extent_count
        assert all(each.offset_bytes >= 0 for each in group.volumes if each.is_slice)
    except DamagedMetadata:
        pass


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"seqno = 7", b'seqno = "7"'),
        (b"extent_size = 8192", b"extent_size = 0"),
        (b"pe_count = 255", b"pe_count = -1"),
        (b"segment_count = 2", b"segment_count = 3"),
        (b'"pv0", 40', b'"pv0", 99999999999999999999'),
        (b"logical_volumes {", b"logical_volumes = 1 x {"),
    ],
)
def test_what_cannot_be_is_refused(old: bytes, new: bytes) -> None:
    volume = read_physical_volume(captured("foreign-0"))
    assert volume is not None
    text = volume.text
    assert old in text or old.startswith(b"seqno")
    if old not in text:
        old = text[text.index(b"seqno = ") :].split(b"\n")[0]
    with pytest.raises(DamagedMetadata):
        parse_group(parse_text(text.replace(old, new, 1)), volume.label.uuid)
