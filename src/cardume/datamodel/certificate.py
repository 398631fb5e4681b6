"""Certificate: a TLS certificate that a host serves or the pool trusts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cardume.datamodel.declare import RO, STATIC_RO, field, named, xenclass
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.wiretypes import EPOCH, Set

if TYPE_CHECKING:
    from cardume.datamodel.host import Host


@named("certificate_type")
class CertificateType(StrEnum):
    """What a certificate is there for."""

    CA = "ca"
    HOST = "host"
    HOST_INTERNAL = "host_internal"
    PINNED = "pinned"


@named("certificate_purpose")
class CertificatePurpose(StrEnum):
    """Which connections a trusted certificate is for; none named means all."""

    LICENSING = "licensing"
    LDAPS = "ldaps"


@xenclass()
class Certificate:
    """A TLS certificate: one that a host serves, or one that the pool trusts."""

    uuid: str = field(RO, "the object's unique identifier")
    name: str = field(RO, "the name under which it was installed; empty for a host's own", "")
    type: CertificateType = field(RO, "what it is there for", CertificateType.HOST)
    host: Ref[Host] = field(STATIC_RO, "the host that serves it; null for one that the pool trusts", NULL)
    not_before: datetime = field(STATIC_RO, "from when on it is valid", EPOCH)
    not_after: datetime = field(STATIC_RO, "until when it is valid", EPOCH)
    fingerprint: str = field(STATIC_RO, "the same as fingerprint_sha256, for older clients", "")
    fingerprint_sha256: str = field(STATIC_RO, "the SHA-256 digest of the certificate", "")
    fingerprint_sha1: str = field(STATIC_RO, "the SHA-1 digest of the certificate", "")
    purpose: Set[CertificatePurpose] = field(STATIC_RO, "the connections that it is for; none named means all", ())
