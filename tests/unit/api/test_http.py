"""The HTTP side: paths, exact headers, bodies that are none, and the exact bytes of answers."""

import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from tests.unit.api.served_api import Api, Refused, served

from cardume.api.app import NOT_YET
from cardume.api.tls import HostFiles, ensure_certificate, make_certificate, renew_if_due, server_context

AssertGolden = Callable[[str, str], None]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


def xml_call(method: str, *texts: str) -> bytes:
    params = "".join(f"<param><value>{text}</value></param>" for text in texts)
    return f"<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>".encode()


@pytest.mark.parametrize("path", ["/", "/RPC2", "/xmlrpc", "/json", "/any/where"])
async def test_xml_rpc_is_answered_on_every_path(api: Api, path: str) -> None:
    async with api.http.post(api.url + path, data=xml_call("session.login_with_password", "root", "root-pw")) as got:
        assert (got.status, got.headers["Content-Type"]) == (200, "text/xml")
        assert got.headers["Access-Control-Allow-Origin"] == "*"
        assert got.headers["Access-Control-Allow-Headers"] == "X-Requested-With"
        assert "<value>Success</value>" in await got.text()


async def test_json_has_the_bare_type_that_clients_compare(api: Api) -> None:
    asked = {"jsonrpc": "2.0", "id": 0, "method": "VM.get_all", "params": ["x"]}
    async with api.http.post(f"{api.url}/jsonrpc", json=asked) as got:
        assert (got.status, got.headers["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize("path", ["/", "/jsonrpc"])
async def test_a_body_that_is_no_request_gets_a_page_and_500(api: Api, path: str) -> None:
    async with api.http.post(api.url + path, data=b"<nonsense") as got:
        assert (got.status, got.content_type) == (500, "text/html")


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    async with api.http.post(api.url + "/", data=b" " * (17 * 1024 * 1024)) as got:
        assert got.status == 413


async def test_browsers_may_ask_before_they_post(api: Api) -> None:
    asked = {"Access-Control-Request-Headers": "content-type"}
    async with api.http.options(f"{api.url}/jsonrpc", headers=asked) as got:
        assert got.status == 200
        assert got.headers["Access-Control-Allow-Headers"] == "content-type, X-Requested-With"
        assert got.headers["Access-Control-Allow-Methods"] == "PUT"


async def test_the_root_is_a_page_and_transfers_say_that_they_are_not_there(api: Api) -> None:
    async with api.http.get(api.url + "/") as got:
        assert (got.status, got.content_type) == (200, "text/html")
    root = await api.login()
    for method, path in NOT_YET:
        if method == "CONNECT":
            continue  # aiohttp's client does not make such requests
        async with api.http.request(method, f"{api.url}{path}?session_id={root}") as got:
            assert got.status == 501, path


async def test_answers_byte_for_byte(api: Api, assert_golden: AssertGolden) -> None:
    root = await api.login()
    lines = []
    for body in (
        xml_call("VM.get_user_version", root, api.vm),
        xml_call("VM.get_is_a_template", root, api.vm),
        xml_call("VM.get_tags", root, api.vm),
        xml_call("VM.get_other_config", root, api.vm),
        xml_call("VM.get_snapshot_time", root, api.vm),
        xml_call("VM.get_all", root),
        xml_call("VM.set_name_label", root, api.vm, "a &amp; b"),
        xml_call("VM.get_name_label", root, api.vm),
        xml_call("VM.nonsense", root, "&lt;"),
    ):
        async with api.http.post(api.url, data=body) as got:
            lines.append(await got.text())
    assert_golden("wire/answers.xml.txt", "\n".join(lines).replace(api.vm, "OpaqueRef:VM") + "\n")


async def test_json_answers_byte_for_byte(api: Api, assert_golden: AssertGolden) -> None:
    root = await api.login()
    lines = []
    for version, method in (
        ('"jsonrpc":"2.0",', "VM.get_user_version"),
        ('"jsonrpc":"2.0",', "VM.get_is_a_template"),
        ('"jsonrpc":"2.0",', "VM.get_other_config"),
        ('"jsonrpc":"2.0",', "VM.get_snapshot_time"),
        ('"jsonrpc":"2.0",', "VM.nonsense"),
        ("", "VM.get_tags"),
        ("", "VM.nonsense"),
    ):
        body = f'{{{version}"id":1,"method":"{method}","params":["{root}","{api.vm}"]}}'
        async with api.http.post(f"{api.url}/jsonrpc", data=body) as got:
            lines.append(await got.text())
    assert_golden("wire/answers.json.txt", "\n".join(lines) + "\n")


async def test_a_large_answer_comes_whole(api: Api) -> None:
    root = await api.login()
    await api.rpc("VM.set_name_description", root, api.vm, "x" * 1_000_000)
    assert len(await api.rpc("VM.get_name_description", root, api.vm)) == 1_000_000


async def test_a_value_that_the_pool_database_cannot_keep_is_refused(api: Api) -> None:
    root = await api.login()
    with pytest.raises(Refused, match="OPERATION_NOT_ALLOWED"):
        await api.rpc("VM.set_name_description", root, api.vm, "x" * 2_000_000)


async def test_old_tls_is_refused(api: Api, tmp_path: Path) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(aiohttp.ClientError):
        await api.http.get(api.url, ssl=old)


async def test_plain_http_is_sent_to_https_and_nothing_else(api: Api) -> None:
    plain = f"http://127.0.0.1:{api.server.redirect_port}"
    for method in ("GET", "POST"):
        asked = api.http.request(method, f"{plain}/x?y=1", allow_redirects=False, headers={"Host": "d1-g1:80"})
        async with asked as answer:
            assert (answer.status, answer.headers["Location"]) == (308, "https://d1-g1/x?y=1")


def test_a_certificate_is_made_once_and_renewed_before_it_expires_or_when_an_address_is_new(tmp_path: Path) -> None:
    files = HostFiles(tmp_path / "pki" / "host.pem", tmp_path / "pki" / "host.key")
    then = datetime(2026, 1, 1, tzinfo=UTC)
    names = {"names": ["d1-g1"], "addresses": ["10.147.0.11", "fd00::1"]}
    assert ensure_certificate(files, **names, now=then)
    assert not ensure_certificate(files, **names, now=then)
    assert files.key.stat().st_mode & 0o777 == 0o600
    first = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    found = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in found.get_values_for_type(x509.IPAddress)] == ["10.147.0.11", "fd00::1"]
    assert not renew_if_due(files, **names, now=then + timedelta(days=700))
    key = files.key.read_bytes()
    assert renew_if_due(files, **names, now=then + timedelta(days=800))
    assert renew_if_due(files, names=["d1-g1"], addresses=["10.147.0.12"], now=then + timedelta(days=801))
    renewed = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    assert renewed.not_valid_after_utc == then + timedelta(days=801 + 825)
    assert files.key.read_bytes() == key
    assert renewed.public_key() == first.public_key()
    server_context(files)  # the two belong together, or it raises


def test_a_key_whose_certificate_was_not_written_any_more_gets_one(tmp_path: Path) -> None:
    files = HostFiles(tmp_path / "host.pem", tmp_path / "host.key")
    ensure_certificate(files, names=["d1-g1"], addresses=["10.147.0.11"])
    old = files.certificate.read_bytes()
    make_certificate(files, ["d1-g1"], ["10.147.0.11"])
    files.certificate.write_bytes(old)
    assert ensure_certificate(files, names=["d1-g1"], addresses=["10.147.0.11"])
    server_context(files)
