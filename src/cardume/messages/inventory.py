"""The database's picture of this host, made at the first start and brought up to date at every later one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cardume import __date__, __version__
from cardume.core.cpu_features import encode
from cardume.datamodel.host import Host
from cardume.datamodel.host_cpu import HostCpu
from cardume.datamodel.host_metrics import HostMetrics
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sm import SM
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.hostops.host_facts import HostFacts
from cardume.hostops.network.host_network import Configured
from cardume.hostops.storage.driver import StorageDriver
from cardume.messages.card_records import record_cards
from cardume.messages.cpu_levelling import level_processors
from cardume.messages.templates import blank_vm, ensure_templates
from cardume.messages.vm_state import ensure_metrics
from cardume.pooldb.db import Database, Transaction

PRODUCT_VERSION = "8.3.0"
"""The XCP-ng release whose API this is: clients choose features by it."""

API_VERSION = (2, 23)


@dataclass(frozen=True, slots=True)
class ThisHost:
    """What is known of this host besides its hardware."""

    uuid: str
    name_label: str
    management_bridge: str
    agent_start: float  # Unix seconds
    configured: Mapping[str, Configured] = field(default_factory=dict)  # the bridges that Cardume set up


@dataclass(frozen=True, slots=True)
class HostInventory:
    """All that a host tells of itself to the master of its pool."""

    this: ThisHost
    facts: HostFacts
    guest_vms: str  # what runs guests, kvm or tcg
    certificate: str  # the one that its clients see, as PEM
    after_boot: bool  # the host itself has started anew since its daemon last ran


async def record_host(
    db: Database,
    this: ThisHost,
    facts: HostFacts,
    drivers: Mapping[str, StorageDriver],
    guest_vms: str,
    *,
    live: bool = True,
) -> Ref[Host]:
    """Write what is true of a host into the database; its reference.

    guest_vms: what runs guests, kvm or tcg. live: whether it can be worked with already.
    """
    async with db.transaction() as txn:
        host = _ensure_host(txn, this, facts, guest_vms, live)
        _ensure_pool(txn, host)
        level_processors(txn)
        _record_cpus(txn, host, facts)
        record_cards(txn, host, facts.nics, this.management_bridge, this.configured, facts.dns)
        _record_address(txn, host)
        _record_drivers(txn, drivers)
        _ensure_control_domain(txn, host, this, facts)
        ensure_templates(txn)
        for vm in txn.all(VM):
            ensure_metrics(txn, vm)
        ensure_host_metrics(txn)
    return host


async def record_master(db: Database, host: Ref[Host]) -> bool:
    """Write down that this host is the pool's master; True when it was another one before."""
    async with db.transaction() as txn:
        ((ref, pool),) = txn.all(Pool).items()
        is_new = pool.master != host
        txn.update(ref, master=host)
    return is_new


def _ensure_host(txn: Transaction, this: ThisHost, facts: HostFacts, guest_vms: str, live: bool) -> Ref[Host]:
    found = next((ref for ref, host in txn.all(Host).items() if host.uuid == this.uuid), None)
    fields = _host_fields(this, facts, guest_vms)
    if found is None:
        made = Host(
            uuid=this.uuid,
            name_label=this.name_label,
            name_description="",
            enabled=True,
            logging={},
            other_config={},
            iscsi_iqn=f"iqn.2026-01.org.cardume:{this.uuid}",
            suspend_image_sr=NULL,
            crash_dump_sr=NULL,
            address="",
            **fields,
        )
        found = txn.create(made)
    else:
        txn.update(found, **fields)
    times = {"boot_time": _unix(facts.boot_time), "agent_start_time": _unix(this.agent_start)}
    txn.update(found, other_config={**txn.get(found).other_config, **times})
    txn.delete(txn.get(found).metrics)
    metrics = txn.create(HostMetrics(live=live, memory_total=facts.memory.total_bytes, last_updated=datetime.now(UTC)))
    txn.update(found, metrics=metrics)
    return found


def ensure_host_metrics(txn: Transaction) -> None:
    """Hosts of which nothing has been heard yet are not live: clients expect each host to have metrics."""
    for ref, host in txn.all(Host).items():
        if txn.find(host.metrics) is None:
            txn.update(ref, metrics=txn.create(HostMetrics(live=False, last_updated=datetime.now(UTC))))


def _record_address(txn: Transaction, host: Ref[Host]) -> None:
    """Where the host's API is: the address of its management interface, of whatever kind that is."""
    for pif in txn.get(host).PIFs:
        if txn.get(pif).management:
            txn.update(host, address=txn.get(pif).IP)


def _host_fields(this: ThisHost, facts: HostFacts, guest_vms: str) -> dict[str, Any]:
    major, minor = API_VERSION
    return {
        "hostname": facts.hostname,
        "API_version_major": major,
        "API_version_minor": minor,
        "API_version_vendor": "Cardume",
        "API_version_vendor_implementation": {},
        "capabilities": ("hvm-3.0-x86_32", "hvm-3.0-x86_64"),
        "software_version": _software_version(facts, guest_vms),
        "cpu_info": _cpu_info(facts),
        "cpu_configuration": {},
        "chipset_info": {"iommu": "false"},
        "bios_strings": _bios_strings(facts),
        "license_params": {"expiry": "29991231T23:59:59Z", "restrict_zstd_export": "false", "restrict_vtpm": "true"},
        "edition": "cardume",
        "editions": ("cardume",),
        "sched_policy": "credit",
        "supported_bootloaders": (),
        "ssl_legacy": False,
        "https_only": True,
        "tls_verification_enabled": False,
    }


def _software_version(facts: HostFacts, guest_vms: str) -> dict[str, str]:
    return {
        "product_brand": "XCP-ng",
        "product_version": PRODUCT_VERSION,
        "product_version_text": f"Cardume {__version__}",
        "product_version_text_short": __version__,
        "platform_name": "XCP",
        "platform_version": "3.4.0",
        "build_number": __version__,
        "cardume": __version__,
        "xapi": f"{API_VERSION[0]}.{API_VERSION[1]}",
        "xen": "",
        "qemu": facts.qemu_version,
        "libvirt": facts.libvirt_version,
        "acceleration": guest_vms,
        "linux": facts.kernel,
        "hostname": facts.hostname,
        "date": __date__,
        "db_schema": "5.786",
        "network_backend": "bridge",
        "xencenter_min": "2.16",
        "xencenter_max": "2.21",
    }


def _cpu_info(facts: HostFacts) -> dict[str, str]:
    cpu = facts.cpu
    told = {
        "cpu_count": cpu.count,
        "socket_count": cpu.sockets,
        "threads_per_core": cpu.threads_per_core,
        "vendor": cpu.vendor,
        "speed": f"{cpu.speed_mhz:.3f}",
        "modelname": cpu.model_name,
        "family": cpu.family,
        "model": cpu.model,
        "stepping": cpu.stepping,
        "flags": " ".join(cpu.flags),
        "features": encode(cpu.flags),
        "features_pv": encode(cpu.flags),
        "features_hvm": encode(cpu.flags),
    }
    return {key: str(value) for key, value in told.items()}


def _ensure_pool(txn: Transaction, host: Ref[Host]) -> None:
    facts = txn.get(host)
    restrictions = dict(facts.license_params)
    for pool_ref, pool in txn.all(Pool).items():
        if pool.master == host:
            txn.update(pool_ref, restrictions=restrictions)
        return
    made = Pool(
        name_label="",
        name_description="",
        master=host,
        default_SR=NULL,
        suspend_image_SR=NULL,
        crash_dump_SR=NULL,
        other_config={},
        cpu_info={},
        restrictions=restrictions,
        ha_reboot_vm_on_internal_shutdown=False,  # who shuts a guest down from inside means it
    )
    txn.create(made)


def _record_cpus(txn: Transaction, host: Ref[Host], facts: HostFacts) -> None:
    known = {txn.get(cpu).number for cpu in txn.get(host).host_CPUs}
    for cpu in txn.get(host).host_CPUs:
        if txn.get(cpu).number >= facts.cpu.count:
            txn.delete(cpu)
    for number in set(range(facts.cpu.count)) - known:
        txn.create(
            HostCpu(
                host=host,
                number=number,
                vendor=facts.cpu.vendor,
                modelname=facts.cpu.model_name,
                family=_number(facts.cpu.family),
                model=_number(facts.cpu.model),
                stepping=facts.cpu.stepping,
                speed=int(facts.cpu.speed_mhz),
                flags=" ".join(facts.cpu.flags),
            )
        )


def _record_drivers(txn: Transaction, drivers: Mapping[str, StorageDriver]) -> None:
    known = {sm.type: ref for ref, sm in txn.all(SM).items()}
    for name, driver in drivers.items():
        fields: dict[str, Any] = {
            "name_label": driver.name_label,
            "name_description": driver.name_description,
            "vendor": "Cardume",
            "copyright": "The Cardume authors",
            "version": __version__,
            "required_api_version": "1.0",
            "configuration": dict(driver.configuration),
            "capabilities": tuple(sorted(driver.capabilities)),
            "features": dict.fromkeys(sorted(driver.capabilities), 1),
        }
        if name in known:
            txn.update(known[name], **fields)
        else:
            txn.create(SM(type=name, **fields))


def _ensure_control_domain(txn: Transaction, host: Ref[Host], this: ThisHost, facts: HostFacts) -> None:
    """A VM record that stands for the host's own system: clients expect each host to have one."""
    if txn.find(txn.get(host).control_domain) is not None:
        return
    record = blank_vm(
        f"Control domain on host: {this.name_label}",
        "The host's own system",
        memory=512 * 2**20,
        vcpus=facts.cpu.count,
        platform={},
        other_config={},
        is_a_template=False,
        is_control_domain=True,
    )
    domain = txn.create(record)
    txn.update(domain, power_state=VMPowerState.RUNNING, resident_on=host, domid=0, affinity=host)
    txn.update(host, control_domain=domain)


def _bios_strings(facts: HostFacts) -> dict[str, str]:
    """The machine's identity under XenServer's names."""
    names = {
        "bios-vendor": "bios_vendor",
        "bios-version": "bios_version",
        "system-manufacturer": "sys_vendor",
        "system-product-name": "product_name",
        "system-version": "product_version",
        "system-serial-number": "product_serial",
    }
    return {theirs: facts.dmi[ours] for theirs, ours in names.items() if ours in facts.dmi}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _unix(seconds: float) -> str:
    return f"{int(seconds)}."
