"""The host's own certificate: made at setup, renewed before it expires; and the TLS settings of the listeners."""

import asyncio
import asyncio.sslproto
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cardume.hostops.durable import write_bytes

READ_BYTES = 32 * 1024
# asyncio gives every TLS connection a buffer of 256 KiB, filled with zeros: two thousand waiting clients would hold
# half a gigabyte that they never use. A TLS record has 16 KiB at most, so that less does not slow a transfer down.
asyncio.sslproto.SSLProtocol.max_size = READ_BYTES

VALID_FOR = timedelta(days=825)  # what browsers accept at most of a certificate that was trusted by hand
RENEW_BEFORE = timedelta(days=60)

HostKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class HostFiles:
    """Where a host keeps its certificate and its key."""

    certificate: Path
    key: Path


def ensure_certificate(
    files: HostFiles, *, names: Sequence[str], addresses: Sequence[str], now: datetime | None = None
) -> bool:
    """Make the host's certificate when there is none that will do; True when one was made."""
    if files.certificate.exists() and files.key.exists():
        return renew_if_due(files, names=names, addresses=addresses, now=now)
    make_certificate(files, names, addresses, now)
    return True


def renew_if_due(
    files: HostFiles, *, names: Sequence[str], addresses: Sequence[str], now: datetime | None = None
) -> bool:
    """Make a new certificate when the present one expires soon or lacks a name or address; True when it did.

    It has the present key: clients that know the host by its key go on without being told.
    """
    now = now or datetime.now(UTC)
    present = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    known = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    missing = set(_alternative_names(names, addresses)) - set(known)
    key = _kept_key(files.key)
    # A crash between the two files of a reset leaves the new key beside the old certificate.
    fits = present.public_key() == key.public_key()
    if fits and now + RENEW_BEFORE < present.not_valid_after_utc and not missing:
        return False
    _sign(files, key, names, addresses, now)
    return True


def server_context(files: HostFiles) -> ssl.SSLContext:
    """The TLS settings of a listener: version 1.2 or newer, with the host's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    return context


def make_certificate(
    files: HostFiles, names: Sequence[str], addresses: Sequence[str], now: datetime | None = None
) -> None:
    """Make the host a new key and a certificate that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    files.key.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(files.key, _private_pem(key), mode=0o600)
    _sign(files, key, names, addresses, now or datetime.now(UTC))


def _kept_key(path: Path) -> HostKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, HostKey), "a host makes itself no key of another kind"
    return key


def _sign(files: HostFiles, key: HostKey, names: Sequence[str], addresses: Sequence[str], now: datetime) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, (names[0] if names else socket.gethostname())[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # hosts' clocks differ
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(names, addresses)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_bytes(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _alternative_names(names: Sequence[str], addresses: Sequence[str]) -> list[x509.GeneralName]:
    by_address = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    return [*(x509.DNSName(name) for name in names), *by_address]


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
