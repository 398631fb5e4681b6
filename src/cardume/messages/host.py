"""host: what clients ask of a host itself."""

from datetime import UTC, datetime

from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pif import PIF
from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import schema
from cardume.messages.call import Call
from cardume.messages.registry import implements
from cardume.messages.vm_placement import GUEST_OVERHEAD_BYTES, HOST_RESERVE_BYTES, free_memory, guests_of


@implements(Host.get_servertime)
async def get_servertime(call: Call, host: Ref[Host]) -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@implements(Host.get_server_localtime)
async def get_server_localtime(call: Call, host: Ref[Host]) -> datetime:
    # The type has no zone: the local clock's digits are what clients expect here.
    return datetime.now().astimezone().replace(tzinfo=UTC, microsecond=0)


@implements(Host.compute_free_memory)
async def compute_free_memory(call: Call, host: Ref[Host]) -> int:
    return free_memory(call.db, host)


@implements(Host.compute_memory_overhead)
async def compute_memory_overhead(call: Call, host: Ref[Host]) -> int:
    return HOST_RESERVE_BYTES + GUEST_OVERHEAD_BYTES * len(guests_of(call.db, call.db.get(host)))


@implements(Host.get_management_interface)
async def get_management_interface(call: Call, host: Ref[Host]) -> Ref[PIF]:
    for pif in call.db.get(host).PIFs:
        if call.db.get(pif).management:
            return pif
    raise errors.HOST_HAS_NO_MANAGEMENT_IP()


@implements(Host.list_methods)
async def list_methods(call: Call) -> tuple[str, ...]:
    return tuple(sorted(message.full_name for message in schema().messages()))
