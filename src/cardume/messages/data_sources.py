"""What is measured of hosts, VMs and SRs, as XenAPI's data sources: asked of the hosts that measure it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from cardume.core.rrd import SourceNow
from cardume.core.sr_sources import source_on_host, sources_of_sr
from cardume.datamodel import errors
from cardume.datamodel.data_source import DataSource
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vm import VM
from cardume.hostops.errors import HostError
from cardume.hostops.metrics.interface import Meter, NotMeasured
from cardume.messages.call import Call
from cardume.messages.registry import implements


@implements(Host.get_data_sources)
async def get_host_data_sources(call: Call, host: Ref[Host]) -> tuple[DataSource, ...]:
    return await _sources(*_of_host(call, host))


@implements(Host.query_data_source)
async def query_host_data_source(call: Call, host: Ref[Host], data_source: str) -> float:
    return await _query(*_of_host(call, host), data_source)


@implements(Host.record_data_source)
async def record_host_data_source(call: Call, host: Ref[Host], data_source: str) -> None:
    await _record(*_of_host(call, host), data_source)


@implements(Host.forget_data_source_archives)
async def forget_host_data_source(call: Call, host: Ref[Host], data_source: str) -> None:
    await _forget(*_of_host(call, host), data_source)


@implements(VM.get_data_sources)
async def get_vm_data_sources(call: Call, self: Ref[VM]) -> tuple[DataSource, ...]:
    return await _sources(*_of_vm(call, self))


@implements(VM.query_data_source)
async def query_vm_data_source(call: Call, self: Ref[VM], data_source: str) -> float:
    return await _query(*_of_vm(call, self), data_source)


@implements(VM.record_data_source)
async def record_vm_data_source(call: Call, self: Ref[VM], data_source: str) -> None:
    await _record(*_of_vm(call, self), data_source)


@implements(VM.forget_data_source_archives)
async def forget_vm_data_source(call: Call, self: Ref[VM], data_source: str) -> None:
    await _forget(*_of_vm(call, self), data_source)


@implements(SR.get_data_sources)
async def get_sr_data_sources(call: Call, sr: Ref[SR]) -> tuple[DataSource, ...]:
    return tuple(_told(each) for each in await _sources_of_sr(call, sr))


@implements(SR.query_data_source)
async def query_sr_data_source(call: Call, sr: Ref[SR], data_source: str) -> float:
    found = next((each for each in await _sources_of_sr(call, sr) if each.source.name == data_source), None)
    if found is None:
        raise errors.INVALID_VALUE("data_source", data_source)
    return found.value


@implements(SR.record_data_source)
async def record_sr_data_source(call: Call, sr: Ref[SR], data_source: str) -> None:
    await _on_every_host(call, sr, data_source, lambda meter: meter.record)


@implements(SR.forget_data_source_archives)
async def forget_sr_data_source(call: Call, sr: Ref[SR], data_source: str) -> None:
    await _on_every_host(call, sr, data_source, lambda meter: meter.forget)


async def _sources_of_sr(call: Call, sr: Ref[SR]) -> tuple[SourceNow, ...]:
    told = await asyncio.gather(*(_all(meter, owner) for meter, owner in _of_sr(call, sr)), return_exceptions=True)
    for fault in told:
        if isinstance(fault, BaseException) and not isinstance(fault, HostError):
            raise fault
    known = [each for each in told if not isinstance(each, BaseException)]
    return sources_of_sr(known, call.db.get(sr).uuid)


async def _on_every_host(
    call: Call, sr: Ref[SR], name: str, act_of: Callable[[Meter], Callable[[str, str], Awaitable[None]]]
) -> None:
    """Do it wherever it is measured; INVALID_VALUE when that is nowhere."""
    done = False
    for meter, owner in _of_sr(call, sr):
        with _failures(name), suppress(NotMeasured):
            await act_of(meter)(owner, source_on_host(name, call.db.get(sr).uuid))
            done = True
    if not done:
        raise errors.INVALID_VALUE("data_source", name)


def _of_sr(call: Call, sr: Ref[SR]) -> Iterator[tuple[Meter, str]]:
    """The hosts that have it plugged and can be asked; of the others nobody knows what they do to it."""
    for pbd in map(call.db.get, call.db.get(sr).PBDs):
        if pbd.currently_attached:
            with suppress(ApiError):
                yield _of_host(call, pbd.host)


def _of_host(call: Call, host: Ref[Host]) -> tuple[Meter, str]:
    return call.hosts.hands(host).meter, f"host:{call.db.get(host).uuid}"


def _of_vm(call: Call, vm: Ref[VM]) -> tuple[Meter, str]:
    """A VM is measured while it has a process."""
    record = call.db.get(vm)
    if record.resident_on == NULL or call.db.find(record.resident_on) is None:
        raise errors.VM_BAD_POWER_STATE(vm, "running", record.power_state.lower())
    return call.hosts.hands(record.resident_on).meter, f"vm:{record.uuid}"


async def _sources(meter: Meter, owner: str) -> tuple[DataSource, ...]:
    with _failures(""):
        return tuple(_told(each) for each in await _all(meter, owner))


async def _all(meter: Meter, owner: str) -> tuple[SourceNow, ...]:
    try:
        return await meter.sources(owner)
    except NotMeasured:  # it has just been started
        return ()


async def _query(meter: Meter, owner: str, name: str) -> float:
    with _failures(name):
        found = next((each for each in await _all(meter, owner) if each.source.name == name), None)
        if found is None:
            raise NotMeasured(name)
        return found.value


async def _record(meter: Meter, owner: str, name: str) -> None:
    with _failures(name):
        await meter.record(owner, name)


async def _forget(meter: Meter, owner: str, name: str) -> None:
    with _failures(name):
        await meter.forget(owner, name)


@contextmanager
def _failures(name: str) -> Iterator[None]:
    try:
        yield
    except NotMeasured:
        raise errors.INVALID_VALUE("data_source", name) from None
    except HostError as fault:
        raise errors.INTERNAL_ERROR(f"the host's measurements cannot be had: {fault}") from None


def _told(each: SourceNow) -> DataSource:
    source = each.source
    return DataSource(
        name_label=source.name,
        name_description=source.description,
        enabled=each.enabled,
        standard=source.standard,
        units=source.units,
        min=source.least,
        max=source.most,
        value=each.value,
    )
