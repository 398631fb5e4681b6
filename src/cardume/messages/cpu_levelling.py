"""The pool's processors as one: guests are given what every host has, so that each can go on wherever another could."""

from cardume.core.cpu_features import common, lacks
from cardume.core.host_alerts import body
from cardume.datamodel import api_messages
from cardume.datamodel.host import Host
from cardume.datamodel.message import AlertClass
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.messages.message import add_alert
from cardume.pooldb.db import Reader, Transaction

FEATURES = "features_hvm"


def level_processors(txn: Transaction) -> None:
    """Write down what the hosts' processors have in common; an alert tells when that becomes more or less."""
    hosts = [host for host in txn.all(Host).values() if host.cpu_info]
    for ref, pool in txn.all(Pool).items():
        if not hosts:
            return
        master = txn.find(pool.master) or hosts[0]
        features = common(host.cpu_info.get(FEATURES, "") for host in hosts)
        before = pool.cpu_info.get(FEATURES, "")
        told = {
            "vendor": master.cpu_info.get("vendor", ""),
            "cpu_count": str(sum(int(host.cpu_info.get("cpu_count", "0")) for host in hosts)),
            "socket_count": str(sum(int(host.cpu_info.get("socket_count", "0")) for host in hosts)),
            **dict.fromkeys((FEATURES, "features_pv", f"{FEATURES}_host", "features_pv_host"), features),
        }
        if told == pool.cpu_info:
            return
        txn.update(ref, cpu_info=told)
        if lost := lacks(features, before):
            _tell(txn, pool, api_messages.POOL_CPU_FEATURES_DOWN, lost)
        elif before and (gained := lacks(before, features)):
            _tell(txn, pool, api_messages.POOL_CPU_FEATURES_UP, gained)


def hidden_from_guests(db: Reader, host_ref: Ref[Host]) -> tuple[str, ...]:
    """What a host's processor can do and the pool's others cannot, in Linux's words."""
    (pool,) = db.all(Pool).values()
    host = db.get(host_ref)
    return tuple(sorted(lacks(pool.cpu_info.get(FEATURES, ""), host.cpu_info.get(FEATURES, ""))))


def boot_flags(db: Reader, host_ref: Ref[Host]) -> dict[str, str]:
    """What is kept of the processor that a guest was started with."""
    (pool,) = db.all(Pool).values()
    host = db.get(host_ref)
    flags = {"vendor": host.cpu_info.get("vendor", "")}
    # An emulated processor is the same on every host.
    return {**flags, "features": pool.cpu_info.get(FEATURES, "")} if runs_on_processor(host) else flags


def runs_on_processor(host: Host) -> bool:
    """Whether a host's guests see its own processor: not when they are emulated."""
    return host.software_version.get("acceleration") == "kvm"


def _tell(txn: Transaction, pool: Pool, alert: api_messages.Alert, flags: frozenset[str]) -> None:
    add_alert(txn, alert, AlertClass.POOL, pool.uuid, body(features=" ".join(sorted(flags))))
