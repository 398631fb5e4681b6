"""The thin CLI protocol as bytes: written out once, and refused in time and size when it is none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardume.datamodel.thin_cli import (
    GREETING,
    MOST_FRAME_BYTES,
    Asked,
    Chunk,
    End,
    Exit,
    HttpConnect,
    HttpGet,
    HttpPut,
    Job,
    Load,
    Malformed,
    Message,
    Print,
    PrintStderr,
    Prompt,
    Response,
    assert_greeting,
    decode,
    decode_job,
    encode,
    encode_job,
    frame_size,
    parse_request,
)

TEXTS = st.text(max_size=40).filter(lambda text: text.encode("utf-8", "replace").decode() == text)
NUMBERS = st.integers(-(2**31), 2**31 - 1)
MESSAGES = st.one_of(
    st.builds(Print, TEXTS),
    st.builds(PrintStderr, TEXTS),
    st.builds(Load, TEXTS),
    st.just(Prompt()),
    st.builds(Exit, NUMBERS),
    st.builds(HttpGet, TEXTS, TEXTS),
    st.builds(HttpPut, TEXTS, TEXTS),
    st.builds(HttpConnect, TEXTS),
    st.sampled_from(Response),
    st.builds(Chunk, st.integers(0, 2**31 - 1)),
    st.just(End()),
)


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        (Print("é"), "0e000000 09000000 00000000 02000000 c3a9"),
        (Prompt(), "08000000 09000000 03000000"),
        (Exit(1), "0c000000 09000000 04000000 01000000"),
        (Load("a"), "0d000000 09000000 01000000 01000000 61"),
        (HttpGet("f", "/u"), "13000000 09000000 0c000000 01000000 66 02000000 2f75"),
        (HttpPut("", "/u"), "12000000 09000000 0d000000 00000000 02000000 2f75"),
        (PrintStderr("x\n"), "0e000000 09000000 10000000 02000000 780a"),
        (HttpConnect("/c"), "0e000000 09000000 11000000 02000000 2f63"),
        (Response.DONE, "08000000 0a000000 05000000"),
        (Response.FAILED, "08000000 0a000000 06000000"),
        (Response.WAIT, "08000000 0a000000 12000000"),
        (Chunk(3), "0c000000 0b000000 07000000 03000000"),
        (End(), "08000000 0b000000 08000000"),
    ],
)
def test_messages_byte_for_byte(message: Message, frame: str) -> None:
    assert encode(message) == bytes.fromhex(frame)
    assert decode(bytes.fromhex(frame)[4:]) == message


@given(MESSAGES)
def test_what_is_written_is_read_back(message: Message) -> None:
    frame = encode(message)
    assert frame_size(frame[:4], len(frame)) == len(frame) - 4
    assert decode(frame[4:]) == message


@given(MESSAGES, st.data())
def test_a_message_that_is_cut_or_has_more_is_refused(message: Message, data: st.DataObject) -> None:
    payload = encode(message)[4:]
    with pytest.raises(Malformed):
        decode(payload[: data.draw(st.integers(0, len(payload) - 1))])
    with pytest.raises(Malformed):
        decode(payload + b"\0")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(payload: bytes) -> None:
    try:
        message = decode(payload)
    except Malformed:
        return
    assert encode(message)[4:] == payload


@pytest.mark.parametrize("size", [-1, -(2**31), MOST_FRAME_BYTES + 1, 2**31 - 1])
def test_a_frame_that_says_it_is_huge_is_refused_before_it_is_read(size: int) -> None:
    with pytest.raises(Malformed):
        frame_size(struct.pack("<i", size))


@pytest.mark.parametrize(
    "payload",
    [
        struct.pack("<iii", 9, 0, 2**31 - 1),
        struct.pack("<iii", 9, 0, -1),
        struct.pack("<iii", 9, 0, 1) + b"\xff",
        struct.pack("<iii", 9, 14, 0),
        struct.pack("<iii", 11, 7, -1),
        struct.pack("<ii", 12, 0),
        struct.pack("<ii", 10, 7),
    ],
)
def test_lengths_and_numbers_that_lie_are_refused(payload: bytes) -> None:
    with pytest.raises(Malformed):
        decode(payload)


def test_a_greeting_names_the_protocol_and_its_major_version() -> None:
    assert GREETING == b"XenSource thin CLI protocol\0\0\0\0\x02\0\0\0"
    assert_greeting(GREETING)
    assert_greeting(GREETING[:-4] + struct.pack("<i", 7))
    for said in (b"", GREETING[:-1], GREETING + b"\0", b"HTTP/1.1 200 OK".ljust(35), GREETING[:-8] + b"\1" + b"\0" * 7):
        with pytest.raises(Malformed):
            assert_greeting(said)


def test_a_request_is_arguments_and_who_asks() -> None:
    assert parse_request(b"vm-list\nparams=a=b\n--minimal\nusername=root\npassword=p=w") == Asked(
        ("vm-list", "params=a=b", "--minimal"), "", "root", "p=w"
    )
    assert parse_request(b"session_id=OpaqueRef:1\r\nvm-list\r\n") == Asked(("vm-list",), "OpaqueRef:1")
    assert parse_request("vm-list\n-u\nana\n-pw\nsenhã".encode()) == Asked(("vm-list",), "", "ana", "senhã")
    assert parse_request(b"user-password-change\nold=a\npassword=mine\npassword=") == Asked(
        ("user-password-change", "old=a"), "", "", ""
    )
    assert parse_request(b"") == Asked(())
    with pytest.raises(Malformed):
        parse_request(b"vm-list\nname-label=\xff")


@given(st.binary(max_size=300))
def test_any_body_is_a_request_or_refused(body: bytes) -> None:
    try:
        asked = parse_request(body)
    except Malformed:
        return
    assert all(word and "\n" not in word for word in asked.words)


def test_neither_a_request_nor_a_job_shows_secrets_when_it_is_printed() -> None:
    assert "hush" not in repr(Asked(("secret-create", "value=hush"), "hush", "root", "hush"))
    assert "hush" not in repr(Job(("secret-create", "value=hush"), "hush", 443))


def test_a_job_is_read_as_it_was_written() -> None:
    job = Job(("vm-start", "vm=máquina"), "OpaqueRef:1", 443)
    frame = encode_job(job)
    assert decode_job(frame[4:]) == job
    assert frame_size(frame[:4]) == len(frame) - 4
