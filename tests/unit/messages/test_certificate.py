"""The certificate that clients see, and its replacement over the API."""

import asyncio
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.core.certificate_maker import certificate, pem, rsa_key

from cardume.api.served_certificate import ServedCertificate
from cardume.api.tls import HostFiles

from .fake_host import Client, FakeHost


@pytest.fixture
async def member(api: Client) -> str:
    (member,) = await api("host.get_all")
    return str(member)


async def shown(host: FakeHost, name: str | None = None) -> str:
    """The digest of the certificate that a new connection is shown."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", host.port, ssl=tls, server_hostname=name)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return hashlib.sha256(found).digest().hex(":").upper()


def own(days: int = 30) -> tuple[str, str]:
    key = rsa_key()
    now = datetime.now(UTC)
    return certificate(key, since=now - timedelta(days=1), until=now + timedelta(days=days)), pem(key)


async def recorded(api: Client, member: str) -> dict[str, str]:
    (ref,) = await api("host.get_certificates", member)
    record: dict[str, str] = await api("Certificate.get_record", ref)
    return record


async def test_the_hosts_certificate_is_told_as_it_is_shown(api: Client, host: FakeHost, member: str) -> None:
    record = await recorded(api, member)

    assert (record["type"], record["host"], record["name"]) == ("host", member, "")
    assert record["fingerprint_sha256"] == record["fingerprint"] == await shown(host)
    assert (await api("host.get_server_certificate", member)).startswith("-----BEGIN CERTIFICATE-----")


async def test_an_installed_certificate_is_shown_at_once_and_to_every_client(
    api: Client, host: FakeHost, member: str
) -> None:
    text, key = own()
    await api("host.install_server_certificate", member, text, key, "")

    record = await recorded(api, member)
    assert record["fingerprint_sha256"] == await shown(host) == await shown(host, "localhost")
    assert await api("host.get_server_certificate", member) == text
    assert "PRIVATE" not in await api("host.get_server_certificate", member)


async def test_a_refused_certificate_changes_nothing(api: Client, host: FakeHost, member: str) -> None:
    before = await shown(host)
    text, _ = own()
    expired, key = own(days=-1)

    assert await api.refused("host.install_server_certificate", member, text, own()[1], "") == [
        "SERVER_CERTIFICATE_KEY_MISMATCH"
    ]
    assert (await api.refused("host.install_server_certificate", member, expired, key, ""))[0] == (
        "SERVER_CERTIFICATE_EXPIRED"
    )
    assert await shown(host) == before


async def test_a_reset_brings_back_a_certificate_of_the_hosts_own(api: Client, host: FakeHost, member: str) -> None:
    first = await shown(host)
    await api("host.install_server_certificate", member, *own(), "")
    await api("host.reset_server_certificate", member)

    again = await shown(host)
    assert again != first
    assert (await recorded(api, member))["fingerprint_sha256"] == again


def served(folder: Path) -> ServedCertificate:
    files = HostFiles(folder / "host.pem", folder / "host.key")
    return ServedCertificate(files, names=lambda: ["localhost"], addresses=lambda: ["127.0.0.1"])


async def test_an_installed_certificate_outlives_a_restart_and_the_renewal_of_the_hosts_own(tmp_path: Path) -> None:
    text, key = own()
    await served(tmp_path).install(text, key, "")

    after = served(tmp_path)
    assert await after.pem() == text
    assert await after.renew_if_due() is False
    assert mode(tmp_path / "installed.pem") == 0o600


async def test_a_host_whose_installed_certificate_is_ruined_is_still_reached(tmp_path: Path) -> None:
    await served(tmp_path).install(*own(), "")
    ruin(tmp_path / "installed.pem")

    assert await served(tmp_path).pem() == own_of(tmp_path)


async def test_what_openssl_cannot_load_is_not_installed(tmp_path: Path) -> None:
    holder = served(tmp_path)
    before = await holder.pem()

    with pytest.raises(ssl.SSLError):
        await holder.install(own()[0], own()[1], "")

    assert await holder.pem() == before
    assert names(tmp_path) == ["host.key", "host.pem"]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def own_of(folder: Path) -> str:
    return (folder / "host.pem").read_text()


def ruin(path: Path) -> None:
    path.write_text(path.read_text()[:300])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
