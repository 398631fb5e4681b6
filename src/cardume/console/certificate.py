"""The console's own certificate: made at its first start, kept, and made anew before it expires."""

import ipaddress
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cardume.console.connections.keys import write_private

VALID_DAYS = 825
RENEW_DAYS = 60


def ensure_certificate(folder: Path, addresses: tuple[str, ...]) -> tuple[Path, Path]:
    """The files of certificate and key for these names and addresses; the key stays when the certificate is renewed."""
    certificate, key = folder / "console.pem", folder / "console.key"
    if not key.exists():
        write_private(key, _pem(ec.generate_private_key(ec.SECP256R1())))
    if not certificate.exists() or not _is_good(certificate, addresses):
        loaded = load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey), "we made it"
        write_private(certificate, _make(loaded, addresses))
    os.chmod(key, 0o600)
    return certificate, key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _is_good(path: Path, addresses: tuple[str, ...]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    known = {str(name.value) for name in names}
    lasts = certificate.not_valid_after_utc - datetime.now(UTC)
    return lasts > timedelta(days=RENEW_DAYS) and set(_names(addresses)) <= known


def _names(addresses: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*addresses, socket.gethostname(), "localhost", "127.0.0.1")))


def _make(key: ec.EllipticCurvePrivateKey, addresses: tuple[str, ...]) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cardume console")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in _names(addresses)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
