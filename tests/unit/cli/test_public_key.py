"""The public key in a certificate, as `xe` finds it, beside what a library of cryptography says."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.core.certificate_maker import Key, certificate, rsa_key

from cardume.cli.public_key import public_key_of


def der(key: Key, name: str = "host") -> bytes:
    return x509.load_pem_x509_certificate(certificate(key, name).encode()).public_bytes(serialization.Encoding.DER)


def told(key: Key) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


@pytest.mark.parametrize("name", ["h", "a-host-with-a-name-that-takes-a-length-of-its-own-of-two-octets-ab"[:64]])
@pytest.mark.parametrize("make", [rsa_key, lambda: ec.generate_private_key(ec.SECP256R1())], ids=["rsa", "ec"])
def test_the_key_is_found_behind_names_of_any_length(make: object, name: str) -> None:
    assert callable(make)
    key = make()
    assert public_key_of(der(key, name)) == told(key)


def test_a_certificate_that_is_cut_off_or_goes_on_has_no_key() -> None:
    whole = der(ec.generate_private_key(ec.SECP256R1()))
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"cut off|no element|not DER"):
            public_key_of(whole[:length])
    with pytest.raises(ValueError, match="follows"):
        public_key_of(whole + b"\0")


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        (b"\x30\x80\x30\x00\x00\x00", "a length at 0 is not DER"),
        (b"\x30\x81\x02\x30\x00", "a length at 0 is not DER"),
        (b"\x30\x82\x00\x80" + b"\x30" * 128, "a length at 0 is not DER"),
        (b"\x31\x02\x30\x00", "no element of type 0x30 at 0"),
        (b"\x30\x02\x30\x01", "the element at 2 is cut off"),
        (b"\x30\x02\x30\x00", "no element of type 0xa0 at 4"),
    ],
)
def test_what_the_tls_library_may_read_otherwise_is_refused(encoded: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        public_key_of(encoded)
