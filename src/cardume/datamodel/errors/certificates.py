"""Errors about certificates and connections."""

from cardume.datamodel.errors.declared import code

# Certificates and connections

SSL_VERIFY_ERROR = code("SSL_VERIFY_ERROR", ("reason",), "The peer's certificate is not trusted, for the reason given.")
TLS_CONNECTION_FAILED = code(
    "TLS_CONNECTION_FAILED", ("address", "port"), "No TLS connection could be made to this address and port."
)
TLS_VERIFICATION_NOT_ENABLED_IN_POOL = code(
    "TLS_VERIFICATION_NOT_ENABLED_IN_POOL", (), "The pool does not check certificates."
)
CERTIFICATE_ALREADY_EXISTS = code(
    "CERTIFICATE_ALREADY_EXISTS", ("name",), "A certificate of this name is installed already."
)
CERTIFICATE_DOES_NOT_EXIST = code("CERTIFICATE_DOES_NOT_EXIST", ("name",), "No certificate of this name is installed.")
CERTIFICATE_CORRUPT = code("CERTIFICATE_CORRUPT", ("name",), "The certificate cannot be read.")
CERTIFICATE_NAME_INVALID = code("CERTIFICATE_NAME_INVALID", ("name",), "A certificate cannot have this name.")
CRL_ALREADY_EXISTS = code("CRL_ALREADY_EXISTS", ("name",), "A revocation list of this name is installed already.")
CRL_DOES_NOT_EXIST = code("CRL_DOES_NOT_EXIST", ("name",), "No revocation list of this name is installed.")
CRL_CORRUPT = code("CRL_CORRUPT", ("name",), "The revocation list cannot be read.")
CRL_NAME_INVALID = code("CRL_NAME_INVALID", ("name",), "A revocation list cannot have this name.")
SERVER_CERTIFICATE_INVALID = code("SERVER_CERTIFICATE_INVALID", (), "The certificate cannot be read; give it as PEM.")
SERVER_CERTIFICATE_CHAIN_INVALID = code(
    "SERVER_CERTIFICATE_CHAIN_INVALID", (), "The certificates of the chain cannot be read; give them as PEM."
)
SERVER_CERTIFICATE_EXPIRED = code("SERVER_CERTIFICATE_EXPIRED", ("now", "not_after"), "The certificate has expired.")
SERVER_CERTIFICATE_NOT_VALID_YET = code(
    "SERVER_CERTIFICATE_NOT_VALID_YET",
    ("now", "not_before"),
    "The certificate is not valid yet; check the host's clock.",
)
SERVER_CERTIFICATE_KEY_INVALID = code("SERVER_CERTIFICATE_KEY_INVALID", (), "The key cannot be read; give it as PEM.")
SERVER_CERTIFICATE_KEY_MISMATCH = code(
    "SERVER_CERTIFICATE_KEY_MISMATCH", (), "The key does not belong to the certificate."
)
SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED = code(
    "SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED", ("algorithm_oid",), "The key has another algorithm than RSA."
)
SERVER_CERTIFICATE_KEY_RSA_LENGTH_NOT_SUPPORTED = code(
    "SERVER_CERTIFICATE_KEY_RSA_LENGTH_NOT_SUPPORTED", ("length",), "The key's length is not supported."
)
SERVER_CERTIFICATE_SIGNATURE_NOT_SUPPORTED = code(
    "SERVER_CERTIFICATE_SIGNATURE_NOT_SUPPORTED", (), "The certificate must be signed with SHA-256 or SHA-512."
)

# Trust

CERTIFICATE_LACKS_PURPOSE = code("CERTIFICATE_LACKS_PURPOSE", (), "Say what the certificate is to vouch for.")
CERTIFICATE_LIBRARY_CORRUPT = code("CERTIFICATE_LIBRARY_CORRUPT", (), "The installed certificates cannot be read.")
NOT_TRUSTED_CERTIFICATE = code("NOT_TRUSTED_CERTIFICATE", ("ref",), "This is no certificate that trust is put in.")
SERVER_CERTIFICATE_KEY_RSA_MULTI_NOT_SUPPORTED = code(
    "SERVER_CERTIFICATE_KEY_RSA_MULTI_NOT_SUPPORTED", (), "RSA keys of more than two primes are not supported."
)
TRUSTED_CERTIFICATE_ALREADY_EXISTS = code(
    "TRUSTED_CERTIFICATE_ALREADY_EXISTS", ("fingerprint",), "This certificate is trusted already."
)
TRUSTED_CERTIFICATE_EXPIRED = code(
    "TRUSTED_CERTIFICATE_EXPIRED", ("now", "not_after"), "The certificate has expired, so it cannot be trusted."
)
TRUSTED_CERTIFICATE_INVALID = code("TRUSTED_CERTIFICATE_INVALID", (), "The certificate cannot be read; give it as PEM.")
TRUSTED_CERTIFICATE_NOT_VALID_YET = code(
    "TRUSTED_CERTIFICATE_NOT_VALID_YET",
    ("now", "not_before"),
    "The certificate is not valid yet; check the host's clock.",
)

# XenServer documents no parameters of these.
CA_CERTIFICATE_EXPIRED = code("CA_CERTIFICATE_EXPIRED", (), "The authority's certificate has expired.", variadic=True)
CA_CERTIFICATE_INVALID = code(
    "CA_CERTIFICATE_INVALID", (), "The authority's certificate cannot be read; give it as PEM.", variadic=True
)
CA_CERTIFICATE_NOT_VALID_YET = code(
    "CA_CERTIFICATE_NOT_VALID_YET",
    (),
    "The authority's certificate is not valid yet; check the clock of the host.",
    variadic=True,
)
CERT_REFRESH_IN_PROGRESS = code(
    "CERT_REFRESH_IN_PROGRESS", (), "Certificates are being made anew; try again when that is done.", variadic=True
)
TLS_VERIFICATION_ENABLE_IN_PROGRESS = code(
    "TLS_VERIFICATION_ENABLE_IN_PROGRESS",
    (),
    "Checking of certificates is being turned on; try again when that is done.",
    variadic=True,
)
ILLEGAL_IN_FIPS_MODE = code(
    "ILLEGAL_IN_FIPS_MODE", (), "The host is bound to certified cryptography, which this is not.", variadic=True
)
