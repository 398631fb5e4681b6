"""The way of this host into another pool: looked at by XenAPI, entered by the internal channel.

The steps, and what a crash after each leaves:

1. the master certifies this host's key       the host is as before, with a certificate that is of no use
2. `joining` is written down                  at the next start the pool is asked whether it knows the host
3. the pool takes the host's objects in       the same; the answer is yes
4. `member` is written down                   the next start is a member's
"""

import asyncio
import base64
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import structlog

from cardume.api.admission import PATH
from cardume.channel.pki import Admission, PoolFiles, keep, make_request
from cardume.channel.questions import ask_host
from cardume.core.pool_join import HostIdentity, PoolToJoin
from cardume.daemons.config import Config
from cardume.daemons.place import OwnStanding
from cardume.daemons.pool_map import PoolMap, parse, write_map
from cardume.daemons.role import HostRole, Standing, write_role
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.hostops.durable import sync_folder
from cardume.hostops.errors import HostError

log = structlog.get_logger()

CALL_S = 30.0
ADMIT_S = 120.0
ASK_AGAIN_S = 5.0
RESTART_AFTER_S = 2.0


class Joining:
    """The `PoolDoor` of messages/pool_join.py."""

    def __init__(
        self,
        config: Config,
        read: Callable[[], Awaitable[Sequence[tuple[str, bytes]]]],
        addresses: Callable[[], Sequence[str]],
        standing: OwnStanding,
        restart: Callable[[], object],
    ) -> None:
        self._config, self._read = config, read
        self._addresses, self._standing, self._restart = addresses, standing, restart
        self._lock = asyncio.Lock()

    async def look(self, address: str, user: str, password: str) -> PoolToJoin:
        async with _logged_in(address, user, password) as ask:
            pools = await ask("pool.get_all_records")
            hosts = await ask("host.get_all_records")
            (pool,) = pools.values()
            return PoolToJoin(
                hosts=tuple(_identity(record) for record in hosts.values()),
                master=str(hosts[pool["master"]]["uuid"]),
                ha_enabled=bool(pool["ha_enabled"]),
            )

    async def enter(self, address: str, user: str, password: str, pool: PoolToJoin) -> None:
        async with self._lock:
            draft = PoolFiles(self._config.pool_files.folder.with_name("pool.joining"))
            shutil.rmtree(draft.folder, ignore_errors=True)
            try:
                keep(draft, await self._certified(draft, address, user, password))
            except BaseException:
                shutil.rmtree(draft.folder, ignore_errors=True)
                raise
            # From here on the pool may have taken the host in: who gives up waiting does not stop it half-way.
            going = asyncio.create_task(self._go_in(draft, HostRole(Standing.JOINING, address, pool.master)))
            try:
                await asyncio.shield(going)
            except asyncio.CancelledError:
                await asyncio.wait((going,))
                raise

    async def _go_in(self, draft: PoolFiles, role: HostRole) -> None:
        self._standing.refuse(errors.HOST_IS_SLAVE(role.master_address))  # nobody changes what is to be the pool's
        try:
            objects = await self._read()
            write_role(self._config.role, role)
        except BaseException:
            self._stay(draft)
            raise
        try:
            become_member(self._config, role, await _admitted(draft, self._config, role, objects))
        except ApiError:
            self._stay(draft)
            raise
        except BaseException as fault:
            log.error("join_undecided", master=role.master_address, error=repr(fault))
            self._start_anew()
            raise errors.JOINING_HOST_CONNECTION_FAILED() from fault
        self._start_anew()

    def _stay(self, draft: PoolFiles) -> None:
        """The pool has not taken this host in: it is what it was."""
        write_role(self._config.role, HostRole())
        self._standing.refuse(None)
        shutil.rmtree(draft.folder, ignore_errors=True)

    def _start_anew(self) -> None:
        """As a member, or to ask the pool. Not at once: whoever asked for the join has still to learn how it ended."""
        asyncio.get_running_loop().call_later(RESTART_AFTER_S, self._restart)

    async def _certified(self, draft: PoolFiles, address: str, user: str, password: str) -> Admission:
        asked = {
            "host": self._config.host_uuid,
            "request": make_request(draft, self._config.host_uuid),
            "addresses": list(self._addresses()),
        }
        auth = aiohttp.BasicAuth(user, password, encoding="utf-8")
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_S)) as client,
                client.post(f"https://{address}{PATH}", json=asked, auth=auth, ssl=_any_certificate()) as answer,
            ):
                given = await answer.json()
                if answer.status != 200:
                    log.warning("not_certified", master=address, status=answer.status, reason=given.get("refused"))
                    raise errors.JOINING_HOST_SERVICE_FAILED()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            log.warning("master_unreachable", master=address, error=str(fault))
            raise errors.JOINING_HOST_CONNECTION_FAILED() from None
        return Admission(given["authority"], given["authority_key"], given["certificate"])


def become_member(config: Config, role: HostRole, known: PoolMap) -> None:
    """Make the next start a member's: certificates and the pool's map in place, the role last."""
    draft = config.pool_files.folder.with_name("pool.joining")
    if draft.exists():
        former = config.pool_files.folder.with_name("pool.former")
        shutil.rmtree(former, ignore_errors=True)
        if config.pool_files.folder.exists():
            config.pool_files.folder.rename(former)
        draft.rename(config.pool_files.folder)
        sync_folder(config.pool_files.folder.parent)
    write_map(config.map, known)
    write_role(config.role, HostRole(Standing.MEMBER, role.master_address, role.master_uuid))


async def finish_join(config: Config, role: HostRole) -> HostRole:
    """What this host is, after a crash in the middle of a join: the pool is asked until it says whether it knows it."""
    draft = PoolFiles(config.pool_files.folder.with_name("pool.joining"))
    files = draft if draft.are_whole else config.pool_files
    while True:
        try:
            told = await _asked(files, config, role, "knows", {})
        except HostError as fault:
            # Neither one nor the other may be assumed: as a pool of its own it could start VMs that are the pool's.
            log.error("join_undecided", master=role.master_address, reason=str(fault), retry_s=ASK_AGAIN_S)
            await asyncio.sleep(ASK_AGAIN_S)
            continue
        if told["known"]:
            become_member(config, role, parse(told["map"]))
            return HostRole(Standing.MEMBER, role.master_address, role.master_uuid)
        write_role(config.role, HostRole())
        shutil.rmtree(draft.folder, ignore_errors=True)
        return HostRole()


async def _admitted(draft: PoolFiles, config: Config, role: HostRole, objects: Sequence[tuple[str, bytes]]) -> PoolMap:
    """The pool has taken this host's objects in. ApiError: it has not. Whatever else: nobody knows."""
    items = [[key, base64.b64encode(value).decode()] for key, value in objects]
    try:
        told = await _asked(draft, config, role, "admit", {"items": items})
    except HostError as fault:
        log.warning("admission_failed", master=role.master_address, error=str(fault))
        told = await _asked(draft, config, role, "knows", {})
        if not told["known"]:
            raise errors.JOINING_HOST_SERVICE_FAILED() from fault
    return parse(told["map"])


async def _asked(files: PoolFiles, config: Config, role: HostRole, do: str, given: dict[str, Any]) -> Any:
    return await ask_host(
        files,
        config.host_uuid,
        role.master_address,
        do,
        given,
        expect=role.master_uuid,
        port=config.channel_port,
        timeout_s=ADMIT_S,
    )


def _identity(record: dict[str, Any]) -> HostIdentity:
    software = record["software_version"]
    return HostIdentity(
        uuid=str(record["uuid"]),
        name_label=str(record["name_label"]),
        hostname=str(record["hostname"]),
        api_version=(int(record["API_version_major"]), int(record["API_version_minor"])),
        product_version=str(software.get("product_version", "")),
        version=str(software.get("cardume", "")),
        cpu_vendor=str(record["cpu_info"].get("vendor", "")),
    )


@asynccontextmanager
async def _logged_in(address: str, user: str, password: str) -> AsyncIterator[Callable[..., Any]]:
    """Calls of the XenAPI of another host, in a session of their own."""
    timeout = aiohttp.ClientTimeout(total=CALL_S)
    async with aiohttp.ClientSession(timeout=timeout) as client:

        async def ask(method: str, *params: Any) -> Any:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": [*params]}
            try:
                async with client.post(f"https://{address}/jsonrpc", json=body, ssl=_any_certificate()) as response:
                    answer = await response.json(content_type=None)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
                log.warning("master_unreachable", master=address, error=str(fault))
                raise errors.JOINING_HOST_CONNECTION_FAILED() from None
            if "error" in answer:
                told = [str(answer["error"]["message"]), *(answer["error"].get("data") or ())]
                raise ApiError(*told)
            return answer["result"]

        session = await ask("session.login_with_password", user, password, "1.0", "cardume")

        async def ask_in_session(method: str) -> Any:
            return await ask(method, session)

        try:
            yield ask_in_session
        finally:
            await ask("session.logout", session)


def _any_certificate() -> ssl.SSLContext:
    """The pool is not known yet, so nobody vouches for its certificate: the administrator vouches for the address."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
