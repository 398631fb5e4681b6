"""The daemon of a pool's member: its hands are the master's to use; clients are told where the master is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import structlog

from cardume.api.authentication import PasswordAuthenticator
from cardume.api.server import Parts, serve
from cardume.channel.link import Link
from cardume.channel.serving import Serving
from cardume.channel.sockets import dialled
from cardume.daemons.accounts import AccountFile
from cardume.daemons.config import Config
from cardume.daemons.joining import OwnStanding
from cardume.daemons.leaving import leave_pool
from cardume.daemons.members import Members
from cardume.daemons.role import HostRole, Standing, write_role
from cardume.daemons.this_host import HereNow
from cardume.datamodel import errors
from cardume.hostops.errors import HostError
from cardume.hostops.host_names import names_of
from cardume.hostops.machine.interface import Machine
from cardume.messages.inventory import record_host
from cardume.messages.lifecycle import derive_allowed_operations
from cardume.messages.subject import grant
from cardume.pooldb.memory import MemoryStore
from cardume.pooldb.objects import Objects

log = structlog.get_logger()

REDIAL_S = 1.0
LEAVE_AFTER_S = 0.5


class Membership:
    """The `Membership` of messages/pool_emergency.py."""

    def __init__(self, config: Config, machine: Machine) -> None:
        self._config, self._machine = config, machine
        self._restarting: asyncio.Task[None] | None = None

    async def follow(self, master_address: str) -> None:
        """Look for the master there from now on, whichever host of the pool it is."""
        write_role(self._config.role, HostRole(Standing.MEMBER, master_address))
        self._restarting = asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        await asyncio.sleep(LEAVE_AFTER_S)  # the answer goes out first
        await self._machine.restart_agent()


@asynccontextmanager
async def member(config: Config, role: HostRole, here: HereNow) -> AsyncIterator[None]:
    """Serve the master, and tell everybody else where it is, as long as the block lasts."""
    db = await Objects.open(MemoryStore())  # this host's own picture, for the calls that are the host's alone
    db.derive_with(derive_allowed_operations)
    facts = here.inventory
    host = await record_host(db, facts.this, facts.facts, here.hands.storage, facts.guest_vms)
    accounts = AccountFile(config.passwords)
    authenticator = PasswordAuthenticator(accounts, lambda user: grant(db, user, accounts.find_identifier(user)))
    parts = Parts(
        db=db,
        hosts=Members(db, here.hands, host),
        localhost=host,
        authenticator=authenticator,
        passwords=authenticator,
        standing=OwnStanding(errors.HOST_IS_SLAVE(role.master_address)),
        services={
            "certificate": here.certificate,
            "directory": accounts,
            "membership": Membership(config, here.hands.machine),
        },
    )
    async with serve(parts, here.listen):
        dialling = asyncio.create_task(_stay_connected(config, role, here, accounts))
        try:
            yield
        finally:
            dialling.cancel()


async def _stay_connected(config: Config, role: HostRole, here: HereNow, accounts: AccountFile) -> None:
    after_boot = here.inventory.after_boot
    while True:
        try:
            await _serve_master(config, role, here, accounts, after_boot)
            after_boot = False
        except HostError as fault:
            log.warning("master_unreachable", master=role.master_address, reason=str(fault))
        except Exception:
            log.exception("channel_failed")
        await asyncio.sleep(REDIAL_S)


async def _serve_master(config: Config, role: HostRole, here: HereNow, accounts: AccountFile, after_boot: bool) -> None:
    """One connection to the master, from its beginning to its end."""

    async def inventory() -> Any:
        nics, configured = await here.hands.network.cards(), await here.hands.network.configured()
        told = here.inventory
        return replace(
            told,
            this=replace(told.this, configured=configured),
            facts=replace(told.facts, nics=nics),
            certificate=await here.certificate.pem(),
            after_boot=after_boot,
        )

    async def names(hosts: list[list[str]]) -> None:
        await names_of([(address, name) for address, name in hosts])

    async def leave() -> None:
        leave_pool(config)
        asyncio.get_running_loop().call_later(LEAVE_AFTER_S, restarting.set)  # the answer goes out first

    restarting = asyncio.Event()
    more: dict[str, Callable[..., Awaitable[Any]]] = {
        "inventory": inventory,
        "names": names,
        "accounts": accounts.take,
        "leave": leave,
    }
    serving = Serving(here.hands, more)
    async with dialled(
        config.pool_files, config.host_uuid, role.master_address, expect=role.master_uuid, port=config.channel_port
    ) as wire:
        log.info("master_connected", master=role.master_address)
        here.mark_awake()
        link = Link(wire, serving.answer)
        async with serving.over(link):
            carried = asyncio.create_task(link.run())
            left = asyncio.create_task(restarting.wait())
            await asyncio.wait((carried, left), return_when=asyncio.FIRST_COMPLETED)
            if left.done():
                await here.hands.machine.restart_agent()
            left.cancel()
            await carried
    log.info("master_disconnected", master=role.master_address)
