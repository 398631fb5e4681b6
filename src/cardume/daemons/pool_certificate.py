"""The certificate by which this host belongs to its pool, renewed while the daemon runs."""

import asyncio

import structlog

from cardume.channel.pki import renew_host
from cardume.daemons.place import Place
from cardume.daemons.this_host import HereNow

log = structlog.get_logger()

CHECK_S = 6 * 3600.0


async def keep_pool_certificate(here: HereNow, place: Place) -> None:
    """Renew it before it ends, or when an address is new; the daemon starts anew with it, etcd reads it by itself."""
    files = here.config.pool_files
    while True:
        await asyncio.sleep(CHECK_S)
        if await asyncio.to_thread(renew_host, files, here.config.host_uuid, here.addresses()):
            log.info("pool_certificate_renewed")
            place.step_down()
