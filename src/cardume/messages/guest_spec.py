"""From the records of a VM to the values that a host starts a guest from."""

from collections.abc import Mapping

from cardume.core.memory import assert_valid_topology
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.vbd import VBD, VBDMode, VBDType
from cardume.datamodel.vif import VIF
from cardume.datamodel.vm import VM
from cardume.hostops.guests.guest import Disk, DiskBus, DiskSource, Firmware, GuestSpec, Nic, NicModel
from cardume.messages.cpu_levelling import hidden_from_guests
from cardume.pooldb.db import Reader

# VM.platform["device-model"] chooses the hardware a guest sees: drivers of its own come with Linux only.
EMULATED = "emulated"


def guest_spec(
    db: Reader, vm_ref: Ref[VM], host: Ref[Host], sources: Mapping[Ref[VBD], DiskSource | None]
) -> GuestSpec:
    """All that a host needs to start a VM whose disks were opened as `sources` (None: an empty CD drive)."""
    vm = db.get(vm_ref)
    order = vm.HVM_boot_params.get("order", "cd")
    disks = [disk(vm, db.get(vbd), source, order) for vbd, source in sources.items()]
    nics = [nic(db, vm, vif, order) for vif in vm.VIFs]
    return GuestSpec(
        uuid=vm.uuid,
        name=vm.name_label,
        memory_bytes=vm.memory_dynamic_max,
        vcpus_max=vm.VCPUs_max,
        vcpus=vm.VCPUs_at_startup,
        disks=_bootable_in_turn(disks),
        nics=tuple(nics),
        firmware=_firmware(vm),
        cores_per_socket=_cores_per_socket(vm),
        video="cirrus" if vm.platform.get("vga") == "cirrus" else "std",
        clock_offset_s=_number(vm, "timeoffset", 0),
        localtime=_is_true(vm.platform.get("localtime", "false")),
        hyperv=_is_true(vm.platform.get("viridian", "false")),
        platform=dict(vm.platform),
        serial_line=has_serial_line(vm),
        hidden_features=hidden_from_guests(db, host),
        bios_strings=dict(vm.bios_strings),
    )


def disk(vm: VM, vbd: VBD, source: DiskSource | None, order: str = "cd") -> Disk:
    """A VBD as the guest's disk or CD drive; `order` is XenAPI's boot order (c disk, d CD, n network)."""
    is_cdrom = vbd.type is VBDType.CD
    letter = "d" if is_cdrom else "c"
    return Disk(
        device=vbd.userdevice,
        source=source,
        bus=DiskBus.SATA if is_cdrom or is_emulated(vm) else DiskBus.VIRTIO,
        is_cdrom=is_cdrom,
        readonly=is_cdrom or vbd.mode is VBDMode.RO,
        boot_index=_boot_index(order, letter, int(vbd.userdevice)),
    )


def nic(db: Reader, vm: VM, vif_ref: Ref[VIF], order: str = "cd") -> Nic:
    """A VIF as the guest's network card."""
    vif = db.get(vif_ref)
    network = db.get(vif.network)
    return Nic(
        device=vif.device,
        mac=vif.MAC,
        bridge=network.bridge,
        mtu=vif.MTU or network.MTU,
        model=NicModel.E1000E if is_emulated(vm) else NicModel.VIRTIO,
        boot_index=_boot_index(order, "n", int(vif.device)),
    )


def is_emulated(vm: VM) -> bool:
    """True for guests that are given hardware their own installer knows (Windows): SATA disks, e1000e cards."""
    return vm.platform.get("device-model") == EMULATED


def has_serial_line(vm: VM) -> bool:
    """False for a VM that was told to have none."""
    return vm.platform.get("hvm_serial") != "none"


def _boot_index(order: str, letter: str, device: int) -> int | None:
    """QEMU's boot index, from 1: all devices of the first letter come first, in the order of their numbers."""
    return None if letter not in order else order.index(letter) * 100 + device + 1


def _bootable_in_turn(disks: list[Disk]) -> tuple[Disk, ...]:
    return tuple(sorted(disks, key=lambda each: int(each.device)))


def _firmware(vm: VM) -> Firmware:
    text = vm.HVM_boot_params.get("firmware", "bios")
    try:
        return Firmware(text)
    except ValueError:
        raise errors.INVALID_VALUE("HVM_boot_params:firmware", text) from None


def _cores_per_socket(vm: VM) -> int:
    text = vm.platform.get("cores-per-socket", "")
    assert_valid_topology(vm.VCPUs_max, text)
    return int(text or 1)


def _number(vm: VM, key: str, default: int) -> int:
    text = vm.platform.get(key, str(default))
    try:
        return int(text)
    except ValueError:
        raise errors.INVALID_VALUE(f"platform:{key}", text) from None


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1", "yes")
