"""host: its names, its logs, and what else may be set or read of it."""

import re

from cardume.datamodel import errors
from cardume.datamodel.host import Host, HostSchedGran
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.messages.call import Call
from cardume.messages.failures import machine_failures
from cardume.messages.registry import implements

MOST_HOSTNAME = 64  # what the kernel keeps
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_IQN = re.compile(r"(iqn\.\d{4}-\d{2}\.|eui\.|naa\.)[^\s]{1,200}")

NO_CAPABILITIES = '<?xml version="1.0" ?>\n<system-status-capabilities></system-status-capabilities>\n'
"""No status report is made yet, so there is no part to choose."""


@implements(Host.set_hostname_live)
async def set_hostname_live(call: Call, host: Ref[Host], hostname: str) -> None:
    assert_hostname(hostname)
    with machine_failures():
        await call.hosts.hands(host).machine.set_hostname(hostname)
    async with call.db.transaction() as txn:
        version = {**txn.get(host).software_version, "hostname": hostname}
        txn.update(host, hostname=hostname, software_version=version)


def assert_hostname(name: str) -> None:
    """Raise HOST_NAME_INVALID unless the text may be a host's name."""
    if not name:
        raise errors.HOST_NAME_INVALID("the name is empty")
    if len(name) > MOST_HOSTNAME:
        raise errors.HOST_NAME_INVALID(f"the name is longer than {MOST_HOSTNAME} characters")
    if not _HOSTNAME.fullmatch(name):
        raise errors.HOST_NAME_INVALID("the name holds other characters than letters, digits and hyphens")


@implements(Host.set_iscsi_iqn)
async def set_iscsi_iqn(call: Call, host: Ref[Host], value: str) -> None:
    """Older clients look for it in other_config."""
    if not _IQN.fullmatch(value):
        raise errors.INVALID_VALUE("value", value)
    async with call.db.transaction() as txn:
        txn.update(host, iscsi_iqn=value, other_config={**txn.get(host).other_config, "iscsi_iqn": value})


@implements(Host.dmesg)
async def dmesg(call: Call, host: Ref[Host]) -> str:
    with machine_failures():
        return await call.hosts.hands(host).machine.read_kernel_log()


@implements(Host.dmesg_clear)
async def dmesg_clear(call: Call, host: Ref[Host]) -> str:
    with machine_failures():
        return await call.hosts.hands(host).machine.read_kernel_log(clear=True)


@implements(Host.get_log)
async def get_log(call: Call, host: Ref[Host]) -> str:
    with machine_failures():
        return await call.hosts.hands(host).machine.read_log()


@implements(Host.get_system_status_capabilities)
async def get_system_status_capabilities(call: Call, host: Ref[Host]) -> str:
    return NO_CAPABILITIES


@implements(Host.get_uncooperative_resident_VMs)
async def get_uncooperative_resident_vms(call: Call, self: Ref[Host]) -> tuple[Ref[VM], ...]:
    """A guest has exactly the memory that it was given: no target is set that it could miss."""
    return ()


@implements(Host.get_sched_gran)
async def get_sched_gran(call: Call, self: Ref[Host]) -> HostSchedGran:
    """Each virtual processor is a thread that the kernel schedules by itself."""
    return HostSchedGran.CPU
