"""Classes that fields of declared classes already point to, and that are declared in a later version.

Such a field is always null or empty until then.
"""

from collections.abc import Callable


def _later(name: str) -> Callable[[type], type]:
    def mark(python: type) -> type:
        python.__xenname__ = name  # type: ignore[attr-defined]  # read back by wiretypes.class_name
        return python

    return mark


@_later("Bond")
class Bond: ...


@_later("crashdump")
class Crashdump: ...


@_later("DR_task")
class DRTask: ...


@_later("Feature")
class Feature: ...


@_later("GPU_group")
class GPUGroup: ...


@_later("host_crashdump")
class HostCrashdump: ...


@_later("host_patch")
class HostPatch: ...


@_later("network_sriov")
class NetworkSriov: ...


@_later("PCI")
class PCI: ...


@_later("PGPU")
class PGPU: ...


@_later("pool_update")
class PoolUpdate: ...


@_later("probe_result")
class ProbeResult: ...


@_later("PUSB")
class PUSB: ...


@_later("Repository")
class Repository: ...


@_later("tunnel")
class Tunnel: ...


@_later("user")
class User: ...


@_later("vdi_nbd_server_info")
class VDINbdServerInfo: ...


@_later("VGPU")
class VGPU: ...


@_later("VLAN")
class VLAN: ...


@_later("VM_group")
class VMGroup: ...


@_later("VMPP")
class VMPP: ...


@_later("VMSS")
class VMSS: ...


@_later("VTPM")
class VTPM: ...


@_later("VUSB")
class VUSB: ...
