"""The pool's certificate authority, and the certificates by which its hosts know each other.

Clients never see these: what a host shows them is its own, see api/tls.py. A host's certificate is for servers and for
clients, names the host's uuid as its subject, and its addresses; etcd's members use the same one.
"""

import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cardume.hostops.durable import sync_folder, write_text

AUTHORITY_VALID_FOR = timedelta(days=3650)
HOST_VALID_FOR = timedelta(days=825)
RENEW_BEFORE = timedelta(days=60)
SKEW = timedelta(days=1)  # hosts' clocks differ


@dataclass(frozen=True, slots=True)
class PoolFiles:
    """Where a host keeps what makes it one of the pool."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """Every host has it: any of them may be the master one day."""
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        return self.folder / "host.pem"

    @property
    def key(self) -> Path:
        return self.folder / "host.key"

    @property
    def are_whole(self) -> bool:
        return all(path.exists() for path in (self.authority, self.authority_key, self.certificate, self.key))


@dataclass(frozen=True, slots=True)
class Admission:
    """What a host is given by the pool that admits it, as PEM texts."""

    authority: str
    authority_key: str
    certificate: str


def ensure_own_pool(files: PoolFiles, host_uuid: str, addresses: Sequence[str], now: datetime | None = None) -> None:
    """Make this host the first of a pool: an authority of its own, and its certificate, where they are missing."""
    now = now or datetime.now(UTC)
    if not (files.authority.exists() and files.authority_key.exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        write_secret(files.authority_key, _private_pem(key))
        write_text(files.authority, _make_authority(key, now))
    renew_host(files, host_uuid, addresses, now)


def renew_host(files: PoolFiles, host_uuid: str, addresses: Sequence[str], now: datetime | None = None) -> bool:
    """Make this host a new certificate when it has none that will do, or one that ends soon; True when it did."""
    now = now or datetime.now(UTC)
    if files.certificate.exists() and files.key.exists():
        present = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        known = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        missing = set(_addresses(addresses)) - set(known.get_values_for_type(x509.IPAddress))
        if common_name(present) == host_uuid and not missing and now + RENEW_BEFORE < present.not_valid_after_utc:
            return False
    request = make_request(files, host_uuid)
    authority = Admission(files.authority.read_text(), files.authority_key.read_text(), "")
    write_text(files.certificate, sign(authority, request, host_uuid, addresses, now))
    return True


def make_request(files: PoolFiles, host_uuid: str) -> str:
    """A request for a certificate of this host, as PEM; its key is kept here and goes nowhere."""
    if files.key.exists():
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        write_secret(files.key, _private_pem(key))
    assert isinstance(key, ec.EllipticCurvePrivateKey), "a host makes itself no key of another kind"
    request = x509.CertificateSigningRequestBuilder().subject_name(_name(host_uuid)).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def sign(
    authority: Admission, request_pem: str, host_uuid: str, addresses: Sequence[str], now: datetime | None = None
) -> str:
    """A certificate for a host's key, as PEM; ValueError when the request is none, or not signed by its own key."""
    now = now or datetime.now(UTC)
    request = x509.load_pem_x509_csr(request_pem.encode())
    if not request.is_signature_valid:
        raise ValueError("the request is not signed by its own key")
    issuer = x509.load_pem_x509_certificate(authority.authority.encode())
    key = serialization.load_pem_private_key(authority.authority_key.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "the pool's key is of our making"
    names = [x509.DNSName(host_uuid), *(x509.IPAddress(one) for one in _addresses(addresses))]
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(host_uuid))
        .issuer_name(issuer.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + HOST_VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def keep(files: PoolFiles, admission: Admission) -> None:
    """Write down what the pool gave; the host's key is here already."""
    write_secret(files.authority_key, admission.authority_key)
    write_text(files.authority, admission.authority)
    write_text(files.certificate, admission.certificate)


def server_context(files: PoolFiles) -> ssl.SSLContext:
    """TLS of the channel's listener: only who has a certificate of the pool gets in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    return _pool_context(context, files)


def client_context(files: PoolFiles) -> ssl.SSLContext:
    """TLS towards another host of the pool. Whose certificate it is, is checked by uuid, not by name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return _pool_context(context, files)


def peer_uuid(connection: ssl.SSLObject) -> str:
    """The uuid of the host at the other end of a connection."""
    der = connection.getpeercert(binary_form=True)
    assert der is not None, "both contexts demand a certificate"
    return common_name(x509.load_der_x509_certificate(der))


def common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def write_secret(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(path.parent, 0o700)
    write_text(path, text, mode=0o600)
    sync_folder(path.parent)


def _pool_context(context: ssl.SSLContext, files: PoolFiles) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(files.authority)
    context.load_cert_chain(files.certificate, files.key)
    return context


def _make_authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> str:
    name = _name("Cardume pool")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + AUTHORITY_VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _addresses(addresses: Sequence[str]) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return [ipaddress.ip_address(one) for one in dict.fromkeys(("127.0.0.1", *addresses))]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
