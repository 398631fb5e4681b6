"""libvirt's Python module: the only place that imports it. Blocking calls, our types, our errors.

Import this, and what builds on it, only in a daemon that runs guests: the module needs the host's libvirt.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import libvirt
import libvirt_qemu

from cardume.hostops.errors import DeviceRefused, GuestBadState, GuestError, GuestNotFound
from cardume.hostops.guests.libvirt_stats import NfsGuests, RawStats, disk_facts
from cardume.hostops.guests.lifecycle import RawEvent
from cardume.hostops.guests.xml_element import Element, element, render

_KEEPALIVE_S = 5
_KEEPALIVE_MISSES = 5
_AGENT_ANSWER_S = 5

_LOST = {libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN}


class ConnectionLost(GuestError):
    """libvirtd went away, or cannot be reached: what the call did is not known."""


@dataclass(frozen=True, slots=True)
class DomainState:
    """One look at a domain."""

    uuid: str
    name: str
    domid: int
    paused: bool
    memory_bytes: int
    xml: str


class Connection:
    """A connection to libvirtd for calls, which block; one at a time (see `libvirt_link.py`)."""

    def __init__(self, uri: str) -> None:
        _start_event_thread()
        with _translated():
            self._virt = libvirt.open(uri)

    def close(self) -> None:
        """Drop the connection, which must have no call in it; guests go on."""
        try:
            self._virt.close()
        except libvirt.libvirtError:
            pass  # it was gone already

    def is_alive(self) -> bool:
        """False once libvirtd is known to have closed it."""
        try:
            return bool(self._virt.isAlive())
        except libvirt.libvirtError:
            return False

    def capabilities(self) -> str:
        with _translated():
            return str(self._virt.getCapabilities())

    def list_all(self) -> list[DomainState]:
        """Every domain that runs, foreign ones too."""
        with _translated():
            domains = self._virt.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        states = (self._state(domain) for domain in domains)
        return [state for state in states if state is not None]

    def all_stats(self, nfs_guests: NfsGuests) -> list[RawStats]:
        """What every domain that runs has used, foreign ones too: one call for all of them but those on NFS."""
        groups = libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON | libvirt.VIR_DOMAIN_STATS_INTERFACE
        with _translated():
            domains = self._virt.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
            nfs_guests.keep_only(frozenset(domain.UUIDString() for domain in domains))
            apart = {
                domain.UUIDString(): disks for domain in domains if (disks := _disks_of_nfs_guest(domain, nfs_guests))
            }
            at_once = [domain for domain in domains if domain.UUIDString() not in apart]
            by_one = [domain for domain in domains if domain.UUIDString() in apart]
            records = self._bulk_stats(at_once, groups | libvirt.VIR_DOMAIN_STATS_BLOCK)
            for domain, facts in self._bulk_stats(by_one, groups):
                records.append((domain, facts | _disk_facts(domain, apart[domain.UUIDString()], nfs_guests)))
            return [RawStats(domain.UUIDString(), domain.ID(), facts) for domain, facts in records]

    def _bulk_stats(self, domains: list[Any], groups: int) -> list[Any]:
        if not domains:
            return []  # to libvirt no domain would mean all
        # A domain that is busy tells less rather than that all wait for it.
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        return list(self._virt.domainListGetStats(domains, groups, flags))

    def find(self, uuid: str) -> DomainState | None:
        try:
            return self._state(self._domain(uuid))
        except GuestNotFound:
            return None

    def create(self, xml: str, *, paused: bool) -> None:
        with _translated():
            self._virt.createXML(xml, libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)

    def suspend(self, uuid: str) -> None:
        with _translated():
            self._domain(uuid).suspend()

    def resume(self, uuid: str) -> None:
        with _translated():
            self._domain(uuid).resume()

    def shutdown(self, uuid: str, *, by_agent: bool) -> None:
        flag = libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT if by_agent else libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
        with _translated():
            self._bounded_agent(uuid, by_agent).shutdownFlags(flag)

    def reboot(self, uuid: str, *, by_agent: bool) -> None:
        flag = libvirt.VIR_DOMAIN_REBOOT_GUEST_AGENT if by_agent else libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN
        with _translated():
            self._bounded_agent(uuid, by_agent).reboot(flag)

    def reset(self, uuid: str) -> None:
        with _translated():
            self._domain(uuid).reset()

    def destroy(self, uuid: str) -> None:
        with _translated():
            self._domain(uuid).destroyFlags(libvirt.VIR_DOMAIN_DESTROY_DEFAULT)

    def save(self, uuid: str, path: str) -> None:
        with _translated():
            self._domain(uuid).saveFlags(path, None, 0)

    def abort_job(self, uuid: str) -> None:
        """End a save that is under way; the guest goes on."""
        with _translated():
            self._domain(uuid).abortJob()

    def saved_xml(self, path: str) -> str:
        with _translated():
            return str(self._virt.saveImageGetXMLDesc(path, libvirt.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE))

    def restore(self, path: str, xml: str, *, paused: bool) -> None:
        flag = libvirt.VIR_DOMAIN_SAVE_PAUSED if paused else libvirt.VIR_DOMAIN_SAVE_RUNNING
        with _translated():
            self._virt.restoreFlags(path, xml, flag)

    def set_vcpus(self, uuid: str, vcpus: int) -> None:
        with _translated():
            self._domain(uuid).setVcpusFlags(vcpus, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def attach(self, uuid: str, xml: str) -> None:
        with _translated():
            self._domain(uuid).attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def detach(self, uuid: str, alias: str) -> None:
        """Ask the guest to let go of a device; the answer is an event."""
        with _translated():
            self._domain(uuid).detachDeviceAlias(alias, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def update(self, uuid: str, xml: str) -> None:
        with _translated():
            self._domain(uuid).updateDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def snapshot(self, uuid: str, xml: str, *, quiesce: bool, with_memory: bool) -> None:
        """Move disks to new layers, all or none of them; libvirt keeps no note of it."""
        flags = (
            libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
            | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
            | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
        )
        if not with_memory:
            flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
        if quiesce:
            flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
        with _translated():
            self._bounded_agent(uuid, quiesce).snapshotCreateXML(xml, flags)

    def block_commit(self, uuid: str, target: str, base: str, top: str, rate_bytes: int) -> None:
        """Begin to write a layer's blocks into the image under it; by the disk's name in the guest."""
        # Relative: the layer above is to name the base as it named the top, by the bare file name.
        flags = libvirt.VIR_DOMAIN_BLOCK_COMMIT_RELATIVE | libvirt.VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES
        with _translated():
            self._domain(uuid).blockCommit(target, base, top, rate_bytes, flags)

    def block_commit_active(self, uuid: str, target: str, base: str, rate_bytes: int) -> None:
        """Begin to write the layer that the guest writes to into the image under it; it goes on until it is ended."""
        flags = libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE | libvirt.VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES
        with _translated():
            self._domain(uuid).blockCommit(target, base, None, rate_bytes, flags)

    def block_job(self, uuid: str, target: str) -> tuple[int, int] | None:
        """(done, of) of what goes on with a disk's layers; None when nothing does."""
        with _translated():
            info = self._domain(uuid).blockJobInfo(target, 0)
        return (int(info["cur"]), int(info["end"])) if info else None

    def end_block_job(self, uuid: str, target: str, *, pivot: bool) -> None:
        """End it, and wait for its end; `pivot`: the guest goes on in the base."""
        flags = libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT if pivot else 0
        with _translated():
            self._domain(uuid).blockJobAbort(target, flags)

    def keep_secret(self, usage: str, password: str) -> None:
        """Let libvirt know a CHAP password, until it ends; it gives it to QEMU without showing it to anybody."""
        with _translated():
            try:
                secret = self._virt.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_ISCSI, usage)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_SECRET:
                    raise
                secret = self._virt.secretDefineXML(render(_secret_xml(usage)))
            secret.setValue(password.encode())

    def resize_block(self, uuid: str, target: str, size: int) -> None:
        """Grow a disk image that a guest has open, by the disk's name in the guest."""
        with _translated():
            self._domain(uuid).blockResize(target, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)

    def ask_monitor(self, uuid: str, execute: str, arguments: Mapping[str, Any]) -> Any:
        """QEMU's answer; GuestError with its words when it refuses."""
        command = json.dumps({"execute": execute, "arguments": arguments})
        with _translated():
            answer = json.loads(libvirt_qemu.qemuMonitorCommand(self._domain(uuid), command, 0))
        if "error" in answer:
            raise GuestError(f"QEMU refuses {execute}: {answer['error'].get('desc', answer['error'])}")
        return answer.get("return")

    def migratable_xml(self, uuid: str) -> str:
        """The domain as another host is to make it."""
        flags = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE
        with _translated():
            return str(self._domain(uuid).XMLDesc(flags))

    def migrate(self, uuid: str, uri: str, data_uri: str, xml: str) -> None:
        """Move a running guest: libvirtd here talks to the other one by itself."""
        flags = (
            libvirt.VIR_MIGRATE_LIVE
            | libvirt.VIR_MIGRATE_PEER2PEER
            | libvirt.VIR_MIGRATE_TLS
            | libvirt.VIR_MIGRATE_AUTO_CONVERGE
        )
        params = {libvirt.VIR_MIGRATE_PARAM_URI: data_uri, libvirt.VIR_MIGRATE_PARAM_DEST_XML: xml}
        with _translated():
            self._domain(uuid).migrateToURI3(uri, params, flags)

    def job_fraction(self, uuid: str) -> float | None:
        """How far the work that goes on with a guest is; None when there is none."""
        with _translated():
            stats = self._domain(uuid).jobStats(0)
        total = int(stats.get("memory_total", 0) or stats.get("data_total", 0))
        left = int(stats.get("memory_remaining", 0) or stats.get("data_remaining", 0))
        return max(0.0, min(1.0, 1 - left / total)) if total else None

    def allow_downtime(self, uuid: str, milliseconds: int) -> None:
        """How long a guest may stand still at the end of its migration."""
        with _translated():
            self._domain(uuid).migrateSetMaxDowntime(milliseconds, 0)

    def ask_agent(self, uuid: str, command: str, timeout_s: int) -> str:
        with _translated():
            return str(libvirt_qemu.qemuAgentCommand(self._domain(uuid), command, timeout_s, 0))

    def _domain(self, uuid: str) -> Any:
        with _translated():
            return self._virt.lookupByUUIDString(uuid)

    def _bounded_agent(self, uuid: str, by_agent: bool) -> Any:
        domain = self._domain(uuid)
        if by_agent:
            domain.agentSetResponseTimeout(_AGENT_ANSWER_S, 0)  # without it a dead agent is waited for without end
        return domain

    def _state(self, domain: Any) -> DomainState | None:
        try:
            with _translated():
                if not domain.isActive():
                    return None
                state, _, memory_kib, _, _ = domain.info()
                xml = domain.XMLDesc(0)
                domid = domain.ID()
        except GuestNotFound:
            return None  # it ended while we looked
        if domid < 0:
            return None
        stopped = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PMSUSPENDED)
        return DomainState(domain.UUIDString(), domain.name(), domid, state in stopped, memory_kib * 1024, xml)


class EventConnection:
    """A connection to libvirtd for events alone, watched by keepalive messages: when it goes, libvirtd went."""

    def __init__(self, uri: str, on_event: Callable[[RawEvent], None], on_lost: Callable[[], None]) -> None:
        _start_event_thread()
        with _translated():
            self._virt = libvirt.open(uri)
            self._virt.registerCloseCallback(lambda *_: on_lost(), None)
            self._virt.setKeepAlive(_KEEPALIVE_S, _KEEPALIVE_MISSES)
            self._register(on_event)

    def close(self) -> None:
        try:
            self._virt.unregisterCloseCallback()
            self._virt.close()
        except libvirt.libvirtError:
            pass  # it was gone already

    def _register(self, tell: Callable[[RawEvent], None]) -> None:
        """Have libvirt's event thread call `tell`; it must not call libvirt, so only the uuid is read."""

        def lifecycle(_c: Any, domain: Any, event: int, detail: int, _o: Any) -> None:
            tell(RawEvent(domain.UUIDString(), "lifecycle", event, detail))

        def reboot(_c: Any, domain: Any, _o: Any) -> None:
            tell(RawEvent(domain.UUIDString(), "reboot"))

        def agent(_c: Any, domain: Any, state: int, reason: int, _o: Any) -> None:
            tell(RawEvent(domain.UUIDString(), "agent", state, reason))

        def io_error(_c: Any, domain: Any, _path: str, alias: str, _action: int, _reason: str, _o: Any) -> None:
            tell(RawEvent(domain.UUIDString(), "io_error", alias=alias))

        def removed(_c: Any, domain: Any, alias: str, _o: Any) -> None:
            tell(RawEvent(domain.UUIDString(), "removed", alias=alias))

        def removal_failed(_c: Any, domain: Any, alias: str, _o: Any) -> None:
            tell(RawEvent(domain.UUIDString(), "removal_failed", alias=alias))

        for number, callback in (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle),
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, reboot),
            (libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, agent),
            (libvirt.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, io_error),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, removed),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, removal_failed),
        ):
            self._virt.domainEventRegisterAny(None, number, callback, None)


def _secret_xml(usage: str) -> Element:
    target = element("usage", element("target", text=usage), type_="iscsi")
    return element("secret", target, ephemeral="yes", private="yes")


_event_thread_lock = threading.Lock()
_event_thread: threading.Thread | None = None


def _disks_of_nfs_guest(domain: Any, nfs_guests: NfsGuests) -> tuple[str, ...]:
    try:
        return nfs_guests.disks(domain.UUIDString(), domain.ID(), domain.XMLDesc)
    except libvirt.libvirtError as error:
        if error.get_error_code() in _LOST:
            raise
        return ()  # it ended meanwhile


def _disk_facts(domain: Any, disks: tuple[str, ...], nfs_guests: NfsGuests) -> dict[str, Any]:
    """The counters of a domain's disks, asked for one by one; none of a domain that is busy, or ended meanwhile."""
    try:
        if domain.controlInfo()[0] not in (libvirt.VIR_DOMAIN_CONTROL_OK, libvirt.VIR_DOMAIN_CONTROL_JOB):
            return {}
        return disk_facts({disk: domain.blockStatsFlags(disk) for disk in disks})
    except libvirt.libvirtError as error:
        if error.get_error_code() in _LOST:
            raise
        nfs_guests.forget(domain.UUIDString())  # one of these disks may be gone
        return {}


def _start_event_thread() -> None:
    """libvirt's event loop, once a process and before its first connection; keepalive and events come from it."""
    global _event_thread
    with _event_thread_lock:
        if _event_thread is not None:
            return
        libvirt.registerErrorHandler(lambda _context, _error: None, None)  # errors are raised; not printed as well
        libvirt.virEventRegisterDefaultImpl()
        _event_thread = threading.Thread(target=_run_events, name="libvirt events", daemon=True)
        _event_thread.start()


def _run_events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


@contextmanager
def _translated() -> Iterator[None]:
    """libvirt's errors as ours."""
    try:
        yield
    except libvirt.libvirtError as error:
        raise _ours(error) from error


def _ours(error: libvirt.libvirtError) -> GuestError:
    code, text = error.get_error_code(), error.get_error_message() or str(error)
    # A call that was under way when the socket closed says "internal error", but names the RPC part as its source.
    if code in _LOST or (error.get_error_domain() == libvirt.VIR_FROM_RPC and code != libvirt.VIR_ERR_NO_DOMAIN):
        return ConnectionLost(text)
    match code:
        case libvirt.VIR_ERR_NO_DOMAIN:
            return GuestNotFound(text)
        case libvirt.VIR_ERR_OPERATION_INVALID:
            return GuestBadState(text)
        case libvirt.VIR_ERR_DEVICE_MISSING:
            return DeviceRefused(text)
    return GuestError(text)
