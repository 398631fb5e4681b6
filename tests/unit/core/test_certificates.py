"""Which certificates a host may serve."""

from datetime import timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from cardume.core.certificates import assert_can_serve, describe
from cardume.datamodel.errors import ApiError

from .certificate_maker import NOW, Key, certificate, pem, rsa_key


@cache
def key() -> Key:
    return rsa_key()


@cache
def authority() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def refusal(certificate_pem: str, key_pem: str, chain: str = "") -> list[str]:
    with pytest.raises(ApiError) as refused:
        assert_can_serve(certificate_pem, key_pem, chain, NOW)
    return refused.value.description


def test_a_certificate_with_its_key_and_chain_may_be_served() -> None:
    assert_can_serve(certificate(key()), pem(key()), "", NOW)
    assert_can_serve(certificate(authority()), pem(authority()), "\n", NOW)
    signed = certificate(key(), issuer=("CA", authority()))
    assert_can_serve(signed, pem(key()), certificate(authority(), "CA"), NOW)


def test_texts_that_are_no_certificate_or_key_are_refused() -> None:
    good = certificate(key())

    assert refusal("hello", pem(key())) == ["SERVER_CERTIFICATE_INVALID"]
    assert refusal(good + good, pem(key())) == ["SERVER_CERTIFICATE_INVALID"]
    assert refusal(good, "hello") == ["SERVER_CERTIFICATE_KEY_INVALID"]
    assert refusal(good, pem(key(), b"password")) == ["SERVER_CERTIFICATE_KEY_INVALID"]
    assert refusal(good, pem(key()), "hello") == ["SERVER_CERTIFICATE_CHAIN_INVALID"]


def test_a_key_of_another_certificate_is_refused() -> None:
    assert refusal(certificate(key()), pem(authority())) == ["SERVER_CERTIFICATE_KEY_MISMATCH"]


def test_weak_and_strange_keys_are_refused() -> None:
    short = rsa_key(1024)
    strange = ed25519.Ed25519PrivateKey.generate()

    assert refusal(certificate(short), pem(short)) == ["SERVER_CERTIFICATE_KEY_RSA_LENGTH_NOT_SUPPORTED", "1024"]
    assert refusal(certificate(key()), pem(strange))[0] == "SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED"


def test_a_certificate_is_refused_before_and_after_its_time() -> None:
    early = certificate(key(), since=NOW + timedelta(days=1))
    late = certificate(key(), since=NOW - timedelta(days=9), until=NOW)

    assert refusal(early, pem(key())) == [
        *("SERVER_CERTIFICATE_NOT_VALID_YET", "20261122T12:00:00Z", "20261123T12:00:00Z")
    ]
    assert refusal(late, pem(key())) == [*("SERVER_CERTIFICATE_EXPIRED", "20261122T12:00:00Z", "20261122T12:00:00Z")]


def test_a_chain_that_did_not_sign_the_certificate_is_refused() -> None:
    signed = certificate(key(), issuer=("CA", authority()))
    other = certificate(ec.generate_private_key(ec.SECP256R1()), "CA")

    assert refusal(signed, pem(key()), other) == ["SERVER_CERTIFICATE_CHAIN_INVALID"]
    assert refusal(certificate(key()), pem(key()), certificate(authority(), "CA")) == [
        "SERVER_CERTIFICATE_CHAIN_INVALID"
    ]


def test_a_certificate_is_described_by_its_time_and_digests() -> None:
    told = describe(certificate(key()))

    assert (told.not_before, told.not_after) == (NOW - timedelta(days=1), NOW + timedelta(days=365))
    assert [len(told.sha256), len(told.sha1)] == [95, 59]
    assert told.sha256.count(":") == 31
