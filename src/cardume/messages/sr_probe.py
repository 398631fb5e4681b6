"""SR.probe and SR.probe_ext: what storage offers, and which repositories are there to be introduced.

Clients read a probe's answer as XML: of an SR that is there in the result, of places to choose from in the third
parameter of a failure whose number says what is to be chosen. SR.create with an incomplete device_config fails in the
same way, which older clients use in the place of a probe.
"""

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError, Backend
from cardume.datamodel.host import Host
from cardume.datamodel.probe_result import ProbeResult
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.sr_stat import SRStat
from cardume.hostops.storage.driver import Prober
from cardume.hostops.storage.found import (
    Found,
    FoundExports,
    FoundLUN,
    FoundLUNs,
    FoundRepositories,
    FoundRepository,
    FoundTarget,
    FoundTargets,
)
from cardume.messages.call import Call
from cardume.messages.device_config import for_driver
from cardume.messages.failures import storage_failures
from cardume.messages.registry import implements
from cardume.messages.storage_values import driver

ISCSI_PORT = 3260


@implements(SR.probe, as_task=True)
async def probe(
    call: Call, host: Ref[Host], device_config: Mapping[str, str], type: str, sm_config: Mapping[str, str]
) -> str:
    found = await look(call, host, device_config, type)
    if isinstance(found, FoundRepositories):
        return _as_text(_repositories_xml(found.repositories, with_names=sm_config.get("metadata") == "true"))
    raise choose_one(found)


@implements(SR.probe_ext, as_task=True)
async def probe_ext(
    call: Call, host: Ref[Host], device_config: Mapping[str, str], type: str, sm_config: Mapping[str, str]
) -> tuple[ProbeResult, ...]:
    """The same as records, for every type that can be probed."""
    return tuple(_results(dict(device_config), await look(call, host, device_config, type)))


async def look(call: Call, host: Ref[Host], device_config: Mapping[str, str], sr_type: str) -> Found:
    """What a host finds where device_config leads. NOT_IMPLEMENTED for a type that cannot be probed."""
    of = driver(call.hosts.hands(host), sr_type)
    if not isinstance(of, Prober):
        raise errors.NOT_IMPLEMENTED(f"SR.probe of the type {sr_type}")
    with storage_failures(call.db):
        return await of.probe(for_driver(call.db, device_config, host))


def choose_one(found: Found) -> ApiError:
    """The failure that shows a client what there is to choose from."""
    match found:
        case FoundTargets(targets):
            number, words, xml = Backend.ISCSI_TARGETS, "choose a target: targetIQN", _targets_xml(targets)
        case FoundLUNs(luns):
            number, words, xml = Backend.LUNS, "choose a LUN: SCSIid", _luns_xml(luns)
        case FoundExports():
            number, words, xml = Backend.NFS_EXPORTS, "choose an export: serverpath", _exports_xml(found)
        case FoundRepositories():
            raise AssertionError("device_config is complete: there is nothing to choose")
    return errors.sr_backend_failure(number, f"device_config is incomplete, {words}", _as_text(xml))


def _targets_xml(targets: tuple[FoundTarget, ...]) -> ElementTree.Element:
    top = ElementTree.Element("iscsi-target-iqns")
    for index, target in enumerate(targets):
        facts = {"Index": str(index), "IPAddress": target.address}
        if target.port != ISCSI_PORT:
            facts["Port"] = str(target.port)
        _child(top, "TGT", {**facts, "TargetIQN": target.iqn})
    return top


def _luns_xml(luns: tuple[FoundLUN, ...]) -> ElementTree.Element:
    top = ElementTree.Element("iscsi-target")
    for lun in luns:
        facts = {"vendor": lun.vendor, "serial": lun.serial, "LUNid": str(lun.lun), "size": str(lun.size)}
        _child(top, "LUN", {**facts, "SCSIid": lun.scsi_id})
    return top


def _exports_xml(found: FoundExports) -> ElementTree.Element:
    top = ElementTree.Element("nfs-exports")
    for export in found.exports:
        _child(top, "Export", {"Target": export.server, "Path": export.path, "Accesslist": export.access})
    return top


def _repositories_xml(found: tuple[FoundRepository, ...], *, with_names: bool) -> ElementTree.Element:
    top = ElementTree.Element("SRlist")
    for repository in found:
        facts = {"UUID": repository.uuid, "Devlist": repository.location, "size": str(repository.size)}
        if with_names:
            facts |= {"name_label": repository.name_label, "name_description": repository.name_description}
        _child(top, "SR", facts)
    return top


def _child(top: ElementTree.Element, tag: str, facts: Mapping[str, str]) -> None:
    """An element with an element for each fact that is known."""
    one = ElementTree.SubElement(top, tag)
    for name, text in facts.items():
        if text:
            ElementTree.SubElement(one, name).text = text


def _as_text(top: ElementTree.Element) -> str:
    ElementTree.indent(top)
    return f'<?xml version="1.0" ?>\n{ElementTree.tostring(top, encoding="unicode")}\n'


def _results(config: dict[str, str], found: Found) -> Iterator[ProbeResult]:
    match found:
        case FoundTargets(targets):
            for target in targets:
                leads = {**config, "target": target.address, "port": str(target.port), "targetIQN": target.iqn}
                yield ProbeResult(configuration=leads, complete=False, extra_info={})
        case FoundLUNs(luns):
            for lun in luns:
                facts = {"vendor": lun.vendor, "serial": lun.serial, "LUNid": str(lun.lun), "size": str(lun.size)}
                leads = {**config, "SCSIid": lun.scsi_id}
                yield ProbeResult(configuration=leads, complete=True, extra_info=facts)
        case FoundExports(exports):
            for export in exports:
                leads = {**config, "server": export.server, "serverpath": export.path}
                yield ProbeResult(configuration=leads, complete=True, extra_info={"access": export.access})
        case FoundRepositories(repositories):
            for each in repositories:
                yield ProbeResult(configuration=config, complete=True, sr=_stat(each), extra_info={})
            if not repositories:
                yield ProbeResult(configuration=config, complete=True, extra_info={})


def _stat(found: FoundRepository) -> SRStat:
    return SRStat(
        uuid=found.uuid,
        name_label=found.name_label,
        name_description=found.name_description,
        free_space=found.free,
        total_space=found.size,
        clustered=False,
    )
