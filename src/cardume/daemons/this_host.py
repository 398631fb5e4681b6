"""What the daemon has of its own host, whatever the host is in its pool: hands, facts, certificates."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import cast

from cardume.api.served_certificate import ServedCertificate
from cardume.api.server import Listen
from cardume.channel.pki import Admission, ensure_own_pool, sign
from cardume.core.seen_addresses import AddressBook
from cardume.daemons.certificate import certificate_addresses, certificate_names
from cardume.daemons.config import Config
from cardume.daemons.gated_guests import GatedGuests
from cardume.daemons.had_agent import HadAgent
from cardume.daemons.metering import metering
from cardume.daemons.vote import Vote
from cardume.had.memory import boot_id
from cardume.hostops.guests.accel import acceleration
from cardume.hostops.guests.interface import Guests
from cardume.hostops.guests.libvirt_guests import LibvirtGuests
from cardume.hostops.hands import Hands
from cardume.hostops.host_facts import read_host_facts
from cardume.hostops.machine.linux_machine import LinuxMachine
from cardume.hostops.metrics.host_meter import HostMeter
from cardume.hostops.migration_tls import HostIdentity, ready_for_migration
from cardume.hostops.network.address_watch import watching_addresses
from cardume.hostops.network.linux_bridges import LinuxBridges
from cardume.hostops.network.linux_network import LinuxNetwork
from cardume.hostops.storage.copy import QemuCopier
from cardume.hostops.storage.driver import StorageDriver
from cardume.hostops.storage.ext import ExtDriver
from cardume.hostops.storage.iso import IsoDriver
from cardume.hostops.storage.lvmoiscsi import LvmOverIscsiDriver
from cardume.hostops.storage.master_fence import MasterFence
from cardume.hostops.storage.nfs_disks import NfsDriver
from cardume.messages.inventory import HostInventory, ThisHost


@dataclass(frozen=True, slots=True)
class HereNow:
    """This host as it is at the daemon's start."""

    config: Config
    hands: Hands
    inventory: HostInventory
    certificate: ServedCertificate  # what clients see
    listen: Listen
    fence: MasterFence
    meter: HostMeter
    had: HadAgent

    def now(self) -> "HereNow":
        """The same after some time: the host's own start may be over."""
        return replace(self, inventory=replace(self.inventory, after_boot=not self.config.awake.exists()))

    def vote(self) -> Vote:
        """What this host has noted of its vote in the pool database."""
        return Vote(self.config.vote, self.config.host_uuid, boot_id(self.config.run), lambda: self.had.starts.life)

    def mark_awake(self) -> None:
        """What the host's own start left undone is done: the daemon's next start is no start of the host."""
        self.config.awake.touch()

    def addresses(self) -> Sequence[str]:
        """Where this host is reached."""
        return certificate_addresses(self.inventory.facts.nics)

    async def certify(self, host_uuid: str, request: str, addresses: Sequence[str]) -> Mapping[str, str]:
        """What a host is given that the pool lets in; ValueError when its request is none."""
        return await asyncio.to_thread(self._certify, host_uuid, request, addresses)

    def _certify(self, host_uuid: str, request: str, addresses: Sequence[str]) -> Mapping[str, str]:
        files = self.config.pool_files
        authority, key = files.authority.read_text(), files.authority_key.read_text()
        certificate = sign(Admission(authority, key, ""), request, host_uuid, addresses)
        return {"authority": authority, "authority_key": key, "certificate": certificate}


@asynccontextmanager
async def this_host(config: Config) -> AsyncIterator[HereNow]:
    """This host's hands and facts, as long as the block lasts."""
    async with AsyncExitStack() as stack:
        facts = await read_host_facts()
        ensure_own_pool(config.pool_files, config.host_uuid, certificate_addresses(facts.nics))
        files = config.pool_files
        await ready_for_migration(HostIdentity(files.authority, files.certificate, files.key))
        found = await acceleration()
        agent = await stack.enter_async_context(HadAgent(config.host_uuid))
        libvirt = await stack.enter_async_context(LibvirtGuests(found.accelerator))
        behind = GatedGuests(libvirt, agent.starts, libvirt.orders)
        await agent.starts.recall_starts(behind.until_over)
        guests = cast(Guests, behind)
        fence = MasterFence()
        luns = LvmOverIscsiDriver(fence, shadows=config.run / "lun")
        drivers: tuple[StorageDriver, ...] = (ExtDriver(), IsoDriver(), NfsDriver(), luns)
        storage = {driver.type: driver for driver in drivers}
        network = LinuxNetwork(config.state)
        await network.recover()

        async def card_names() -> Sequence[str]:
            return [card.name for card in await network.cards()]

        meter = HostMeter(config.host_uuid, config.histories, guests, card_names)
        heard = AddressBook()
        await stack.enter_async_context(watching_addresses(heard))
        hands = Hands(guests, storage, QemuCopier(), LinuxBridges(heard), network, LinuxMachine(), meter, agent)
        certificate = ServedCertificate(
            config.tls_files,
            names=lambda: certificate_names(os.uname().nodename),
            addresses=lambda: certificate_addresses(facts.nics),
        )
        inventory = HostInventory(
            this=ThisHost(
                config.host_uuid,
                config.name_label,
                config.management_bridge,
                time.time(),
                await network.configured(),
            ),
            facts=facts,
            guest_vms=found.accelerator,
            certificate=await certificate.pem(),
            after_boot=not config.awake.exists(),
        )
        listen = Listen(
            tls=certificate.context,
            port=config.listen_port,
            redirect_port=config.redirect_port or None,
            unix_socket=config.socket,
        )
        async with metering(meter):
            yield HereNow(config, hands, inventory, certificate, listen, fence, meter, agent)
