"""Bodies that were thought of or found, each a file that says in its name what it is and what becomes of it."""

import time
import tracemalloc
from pathlib import Path

import pytest
from tests.unit.api.test_xmlrpc import call

from cardume.api import jsonrpc, xmlrpc
from cardume.api.limits import Limits
from cardume.api.rpc import Malformed

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("*/*"))
LARGEST = Limits().most_body


def parse(kind: str, body: bytes) -> None:
    (xmlrpc if kind == "xml" else jsonrpc).parse_request(body)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_body_is_taken_or_refused_as_its_name_says(path: Path) -> None:
    body = path.read_bytes()
    if path.stem.startswith("taken-"):
        parse(path.parent.name, body)
    else:
        assert path.stem.startswith("refused-")
        with pytest.raises(Malformed):
            parse(path.parent.name, body)


def fill(head: bytes, piece: bytes, tail: bytes = b"") -> bytes:
    return head + piece * ((LARGEST - len(head) - len(tail)) // len(piece)) + tail


XML_HEAD, XML_TAIL = call("<param><value><array><data>|</data></array></value></param>").split(b"|")
JSON_HEAD, JSON_TAIL = b'{"method":"m","id":1,"params":[', b"1]}"

LARGE: dict[str, tuple[str, bytes]] = {
    "empty values": ("xml", fill(XML_HEAD, b"<value/>", XML_TAIL)),
    "structs": ("xml", fill(XML_HEAD, b"<value><struct/></value>", XML_TAIL)),
    "attributes": ("xml", b"<methodCall " + b" ".join(b'a%d=""' % i for i in range(400_000)) + b"/>"),
    "references": ("xml", fill(call("<param><value>|</value></param>").split(b"|")[0], b"&lt;")),
    "comments": ("xml", fill(b"", b"<!---->")),
    "one tag": ("xml", fill(b"<", b"a")),
    "one attribute": ("xml", fill(b"<methodCall a='", b"a")),
    "deep values": ("xml", fill(XML_HEAD, b"<value><array><data>")),
    "empty lists": ("json", fill(JSON_HEAD, b"[],", JSON_TAIL)),
    "empty objects": ("json", fill(JSON_HEAD, b"{},", JSON_TAIL)),
    "numbers": ("json", fill(JSON_HEAD, b"1.5,", JSON_TAIL)),
    "one number": ("json", fill(JSON_HEAD, b"9", b"]}")),
    "escapes": ("json", fill(JSON_HEAD + b'"', b"\\u0061", b'"]}')),
    "names": ("json", JSON_HEAD + b"{" + b",".join(b'"%d":1' % i for i in range(90_000)) + b"}]}"),
    "opening brackets": ("json", fill(b"", b"[")),
    "blanks": ("json", fill(b"", b" ")),
}


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_body_takes_bounded_time_and_memory(name: str) -> None:
    kind, body = LARGE[name]
    began_s = time.thread_time()
    outcome = _outcome(kind, body)
    assert time.thread_time() - began_s < 6.0, outcome  # a machine ten times slower than ours
    tracemalloc.start()
    try:
        assert _outcome(kind, body) == outcome
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 128 * 1024 * 1024, outcome


def _outcome(kind: str, body: bytes) -> str:
    try:
        parse(kind, body)
    except Malformed as refused:
        return str(refused)
    return "taken"
