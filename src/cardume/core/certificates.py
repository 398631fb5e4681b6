"""Certificates as values: what one says, and whether a host could serve it with a key."""

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from cardume.datamodel import errors
from cardume.datamodel.values import format_datetime

RSA_BITS = range(2048, 8193)
MOST_CHAIN = 10
_SIGNATURES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNSUPPORTED_KEY = "unknown"


@dataclass(frozen=True, slots=True)
class Described:
    """What a `Certificate` object tells of a certificate."""

    not_before: datetime
    not_after: datetime
    sha256: str
    sha1: str


def describe(pem: str) -> Described:
    """What the first certificate of a PEM text says; ValueError when it cannot be read."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return Described(
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        _digest(certificate, hashes.SHA256()),
        _digest(certificate, hashes.SHA1()),  # a name that older clients know it by; proves nothing
    )


def assert_can_serve(certificate_pem: str, key_pem: str, chain_pem: str, now: datetime) -> None:
    """Raise the reason why a host cannot serve a certificate with this key and chain."""
    key = _load_key(key_pem)
    certificate = _load_certificate(certificate_pem)
    if _public_der(certificate) != _public_der(key):
        raise errors.SERVER_CERTIFICATE_KEY_MISMATCH()
    if not isinstance(certificate.signature_hash_algorithm, _SIGNATURES):
        raise errors.SERVER_CERTIFICATE_SIGNATURE_NOT_SUPPORTED()
    if now < certificate.not_valid_before_utc:
        raise errors.SERVER_CERTIFICATE_NOT_VALID_YET(_told(now), _told(certificate.not_valid_before_utc))
    if now >= certificate.not_valid_after_utc:
        raise errors.SERVER_CERTIFICATE_EXPIRED(_told(now), _told(certificate.not_valid_after_utc))
    _check_chain(certificate, chain_pem)


def _load_certificate(pem: str) -> x509.Certificate:
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise errors.SERVER_CERTIFICATE_INVALID() from None
    return certificate


def _load_key(pem: str) -> PrivateKeyTypes:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except UnsupportedAlgorithm:
        raise errors.SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED(_UNSUPPORTED_KEY) from None
    except (ValueError, TypeError):  # TypeError: it is encrypted
        raise errors.SERVER_CERTIFICATE_KEY_INVALID() from None
    match key:
        case rsa.RSAPrivateKey():
            if key.key_size not in RSA_BITS:
                raise errors.SERVER_CERTIFICATE_KEY_RSA_LENGTH_NOT_SUPPORTED(key.key_size)
        case ec.EllipticCurvePrivateKey():
            pass
        case _:
            raise errors.SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED(type(key).__name__)
    return key


def _check_chain(certificate: x509.Certificate, pem: str) -> None:
    """Each certificate of the chain has signed the one before it."""
    if not pem.strip():
        return
    try:
        chain = x509.load_pem_x509_certificates(pem.encode())
        if len(chain) > MOST_CHAIN:
            raise ValueError("too long")
        for signed, issuer in zip((certificate, *chain), chain, strict=False):
            signed.verify_directly_issued_by(issuer)
    except Exception as fault:
        # The library tells a wrong signature, a wrong name and a strange key by errors of many kinds.
        raise errors.SERVER_CERTIFICATE_CHAIN_INVALID() from fault


def _public_der(holder: x509.Certificate | PrivateKeyTypes) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return holder.public_key().public_bytes(serialization.Encoding.DER, form)


def _digest(certificate: x509.Certificate, by: hashes.HashAlgorithm) -> str:
    return certificate.fingerprint(by).hex(":").upper()


def _told(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC))
