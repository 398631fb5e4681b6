"""host.call_plugin: what clients ask of a host beyond XenAPI; and extensions, of which there are none."""

from collections.abc import Mapping

from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.hostops.machine.interface import PluginFailed, PluginFunctionMissing, PluginMissing
from cardume.messages.call import Call
from cardume.messages.registry import implements


@implements(Host.call_plugin, as_task=True)
async def call_plugin(call: Call, host: Ref[Host], plugin: str, fn: str, args: Mapping[str, str]) -> str:
    try:
        return await call.hosts.hands(host).machine.call_plugin(plugin, fn, args)
    except PluginMissing:
        raise errors.XENAPI_MISSING_PLUGIN(plugin) from None
    except PluginFunctionMissing:
        # No error of XenAPI itself: plug-ins of XenServer answer so, and clients look for it.
        raise ApiError("UNKNOWN_XENAPI_PLUGIN_FUNCTION", fn) from None
    except PluginFailed as fault:
        raise errors.XENAPI_PLUGIN_FAILURE(fn, type(fault).__name__, fault) from None


@implements(Host.has_extension)
async def host_has_extension(call: Call, host: Ref[Host], name: str) -> bool:
    return False


@implements(Pool.has_extension)
async def pool_has_extension(call: Call, self: Ref[Pool], name: str) -> bool:
    return False
