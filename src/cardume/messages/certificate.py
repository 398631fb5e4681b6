"""Certificates that a host serves: told, replaced by an administrator's, or made anew."""

import ssl
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from cardume.core.certificates import assert_can_serve, describe
from cardume.datamodel import errors
from cardume.datamodel.certificate import Certificate, CertificateType
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.messages.call import Call
from cardume.messages.registry import implements
from cardume.pooldb.db import Database


class CertificateService(Protocol):
    """What this host serves; `api/served_certificate.py` is the implementation."""

    async def pem(self) -> str: ...

    async def install(self, certificate: str, key: str, chain: str) -> None: ...

    async def reset(self) -> None: ...


async def record_certificate(db: Database, host: Ref[Host], pem: str) -> None:
    """Make the database tell of the certificate that a host serves."""
    told = describe(pem)
    async with db.transaction() as txn:
        old = [ref for ref in txn.get(host).certificates if txn.get(ref).type is CertificateType.HOST]
        if any(txn.get(ref).fingerprint_sha256 == told.sha256 for ref in old):
            return
        for ref in old:
            txn.delete(ref)
        txn.create(
            Certificate(
                type=CertificateType.HOST,
                host=host,
                not_before=told.not_before,
                not_after=told.not_after,
                fingerprint=told.sha256,
                fingerprint_sha256=told.sha256,
                fingerprint_sha1=told.sha1,
            )
        )


@implements(Host.get_server_certificate)
async def get_server_certificate(call: Call, host: Ref[Host]) -> str:
    return await _served(call, host).pem()


@implements(Host.install_server_certificate)
async def install_server_certificate(
    call: Call, host: Ref[Host], certificate: str, private_key: str, certificate_chain: str
) -> None:
    """New connections get it at once; those that are open go on."""
    assert_can_serve(certificate, private_key, certificate_chain, datetime.now(UTC))
    try:
        await _served(call, host).install(certificate, private_key, certificate_chain)
    except ssl.SSLError:
        raise errors.SERVER_CERTIFICATE_INVALID() from None
    await record_certificate(call.db, host, certificate)


@implements(Host.reset_server_certificate)
async def reset_server_certificate(call: Call, host: Ref[Host]) -> None:
    await _reset(call, host)


@implements(Host.emergency_reset_server_certificate)
async def emergency_reset_server_certificate(call: Call) -> None:
    await _reset(call, call.localhost)


async def _reset(call: Call, host: Ref[Any]) -> None:
    await _served(call, host).reset()
    await record_certificate(call.db, host, await _served(call, host).pem())


def _served(call: Call, host: Ref[Any]) -> CertificateService:
    if host != call.localhost:
        name = call.db.get(host).name_label
        raise errors.OPERATION_NOT_ALLOWED(f"Only {name} itself can change its certificate: log in there.")
    return cast(CertificateService, call.services["certificate"])
