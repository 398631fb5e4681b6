"""SR.probe: which repositories are there to be introduced, as the XML that clients read."""

from collections.abc import Iterable, Mapping
from xml.etree import ElementTree

from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.sr import SR
from cardume.hostops.storage.driver import FoundRepository, Prober
from cardume.messages.call import Call
from cardume.messages.failures import storage_failures
from cardume.messages.registry import implements
from cardume.messages.storage_values import driver


@implements(SR.probe, as_task=True)
async def probe(
    call: Call, host: Ref[Host], device_config: Mapping[str, str], type: str, sm_config: Mapping[str, str]
) -> str:
    of = driver(call.hosts.hands(host), type)
    if not isinstance(of, Prober):
        raise errors.NOT_IMPLEMENTED(f"SR.probe of the type {type}")
    with storage_failures(call.db):
        return srs_as_xml(await of.probe(device_config))


def srs_as_xml(found: Iterable[FoundRepository]) -> str:
    """`SRlist` with a `SR` for each repository."""
    top = ElementTree.Element("SRlist")
    for repository in found:
        one = ElementTree.SubElement(top, "SR")
        for name, text in (("UUID", repository.uuid), ("Devlist", repository.location), ("size", str(repository.size))):
            ElementTree.SubElement(one, name).text = text
    ElementTree.indent(top)
    return f'<?xml version="1.0" ?>\n{ElementTree.tostring(top, encoding="unicode")}\n'
