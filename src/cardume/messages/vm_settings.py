"""VM: memory, processors and the other settings that are checked before they are stored."""

import math
from collections.abc import Mapping

from cardume.core import devices, memory
from cardume.core.failover_changes import resized
from cardume.core.placement import assert_fits
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import DomainType, OnCrash, VMOperation, VMPowerState
from cardume.messages.call import Call
from cardume.messages.failover_facts import is_protected
from cardume.messages.failures import guest_failures
from cardume.messages.ha_plan import assert_keeps_plan, refresh_plan
from cardume.messages.lifecycle import assert_operation_allowed, operation
from cardume.messages.registry import implements
from cardume.messages.vm_placement import GUEST_OVERHEAD_BYTES, host_loads, memory_on_host, vm_demand
from cardume.messages.vm_state import update_metrics


async def _set_limits(call: Call, vm: Ref[VM], **changes: int) -> None:
    record = call.db.get(vm)
    names = ("memory_static_min", "memory_dynamic_min", "memory_dynamic_max", "memory_static_max")
    limits = {name: changes.get(name, getattr(record, name)) for name in names}
    memory.assert_valid_limits(*(limits[name] for name in names))
    is_halted = record.power_state is VMPowerState.HALTED
    if not is_halted and any(limits[name] != getattr(record, name) for name in names if "static" in name):
        raise errors.VM_BAD_POWER_STATE(vm, "halted", record.power_state.lower())
    if not is_halted and limits["memory_dynamic_max"] != record.memory_dynamic_max:
        # Ballooning is not done yet: a number that changes nothing would be a lie.
        raise errors.VM_BAD_POWER_STATE(vm, "halted", record.power_state.lower())
    if is_protected(record):
        more = limits["memory_dynamic_max"] - record.memory_dynamic_max
        before = memory_on_host(record)
        await assert_keeps_plan(call.db, lambda pool: resized(pool, vm, before, before + more, record.resident_on))
    await call.db.update(vm, **limits)
    await refresh_plan(call.db)


@implements(VM.set_memory_limits)
async def set_memory_limits(
    call: Call, self: Ref[VM], static_min: int, static_max: int, dynamic_min: int, dynamic_max: int
) -> None:
    await _set_limits(
        call,
        self,
        memory_static_min=static_min,
        memory_static_max=static_max,
        memory_dynamic_min=dynamic_min,
        memory_dynamic_max=dynamic_max,
    )


@implements(VM.set_memory)
async def set_memory(call: Call, self: Ref[VM], value: int) -> None:
    await _set_limits(
        call,
        self,
        memory_static_min=min(value, call.db.get(self).memory_static_min),
        memory_static_max=value,
        memory_dynamic_min=value,
        memory_dynamic_max=value,
    )


@implements(VM.set_memory_dynamic_range)
async def set_memory_dynamic_range(call: Call, self: Ref[VM], min: int, max: int) -> None:
    await _set_limits(call, self, memory_dynamic_min=min, memory_dynamic_max=max)


@implements(VM.set_memory_static_range)
async def set_memory_static_range(call: Call, self: Ref[VM], min: int, max: int) -> None:
    await _set_limits(call, self, memory_static_min=min, memory_static_max=max)


@implements(VM.set_memory_dynamic_min)
async def set_memory_dynamic_min(call: Call, self: Ref[VM], value: int) -> None:
    await _set_limits(call, self, memory_dynamic_min=value)


@implements(VM.set_memory_dynamic_max)
async def set_memory_dynamic_max(call: Call, self: Ref[VM], value: int) -> None:
    await _set_limits(call, self, memory_dynamic_max=value)


@implements(VM.set_memory_static_min)
async def set_memory_static_min(call: Call, self: Ref[VM], value: int) -> None:
    await _set_limits(call, self, memory_static_min=value)


@implements(VM.set_memory_static_max)
async def set_memory_static_max(call: Call, self: Ref[VM], value: int) -> None:
    await _set_limits(call, self, memory_static_max=value)


@implements(VM.set_VCPUs_max)
async def set_vcpus_max(call: Call, self: Ref[VM], value: int) -> None:
    _assert_halted(call, self)
    memory.assert_valid_vcpus(call.db.get(self).VCPUs_at_startup, value)
    await call.db.update(self, VCPUs_max=value)


@implements(VM.set_VCPUs_at_startup)
async def set_vcpus_at_startup(call: Call, self: Ref[VM], value: int) -> None:
    _assert_halted(call, self)
    memory.assert_valid_vcpus(value, call.db.get(self).VCPUs_max)
    await call.db.update(self, VCPUs_at_startup=value)


@implements(VM.set_VCPUs_number_live)
async def set_vcpus_number_live(call: Call, self: Ref[VM], nvcpu: int) -> None:
    async with operation(call, self, VMOperation.CHANGING_VCPUS_LIVE):
        record = call.db.get(self)
        memory.assert_valid_vcpus(nvcpu, record.VCPUs_max)
        guests = call.hosts.hands(record.resident_on).guests
        with guest_failures(self):
            await guests.set_vcpus(record.uuid, nvcpu)
            guest = await guests.find(record.uuid)
        async with call.db.transaction() as txn:
            txn.update(self, VCPUs_at_startup=nvcpu)
            if guest is not None:
                update_metrics(txn, self, guest)


@implements(VM.set_HVM_boot_policy)
async def set_hvm_boot_policy(call: Call, self: Ref[VM], value: str) -> None:
    if value not in ("BIOS order", ""):
        raise errors.INVALID_VALUE("HVM_boot_policy", value)
    await call.db.update(self, HVM_boot_policy=value)


@implements(VM.set_domain_type)
async def set_domain_type(call: Call, self: Ref[VM], value: DomainType) -> None:
    if value not in (DomainType.HVM, DomainType.UNSPECIFIED):
        raise errors.VALUE_NOT_SUPPORTED("domain_type", value, "only hvm guests run on KVM")
    await call.db.update(self, domain_type=value)


@implements(VM.set_actions_after_crash)
async def set_actions_after_crash(call: Call, self: Ref[VM], value: OnCrash) -> None:
    await call.db.update(self, actions_after_crash=value)


@implements(VM.set_platform)
async def set_platform(call: Call, self: Ref[VM], value: Mapping[str, str]) -> None:
    await call.db.update(self, platform=dict(value))


@implements(VM.add_to_platform)
async def add_to_platform(call: Call, self: Ref[VM], key: str, value: str) -> None:
    await _add(call, self, "platform", key, value)


@implements(VM.remove_from_platform)
async def remove_from_platform(call: Call, self: Ref[VM], key: str) -> None:
    await _remove(call, self, "platform", key)


@implements(VM.set_other_config)
async def set_other_config(call: Call, self: Ref[VM], value: Mapping[str, str]) -> None:
    await call.db.update(self, other_config=dict(value))


@implements(VM.add_to_other_config)
async def add_to_other_config(call: Call, self: Ref[VM], key: str, value: str) -> None:
    await _add(call, self, "other_config", key, value)


@implements(VM.remove_from_other_config)
async def remove_from_other_config(call: Call, self: Ref[VM], key: str) -> None:
    await _remove(call, self, "other_config", key)


@implements(VM.set_blocked_operations)
async def set_blocked_operations(call: Call, self: Ref[VM], value: Mapping[VMOperation, str]) -> None:
    await call.db.update(self, blocked_operations=dict(value))


@implements(VM.add_to_blocked_operations)
async def add_to_blocked_operations(call: Call, self: Ref[VM], key: VMOperation, value: str) -> None:
    await _add(call, self, "blocked_operations", key, value)


@implements(VM.remove_from_blocked_operations)
async def remove_from_blocked_operations(call: Call, self: Ref[VM], key: VMOperation) -> None:
    await _remove(call, self, "blocked_operations", key)


@implements(VM.get_allowed_VBD_devices)
async def get_allowed_vbd_devices(call: Call, vm: Ref[VM]) -> tuple[str, ...]:
    taken = frozenset(call.db.get(vbd).userdevice for vbd in call.db.get(vm).VBDs)
    return devices.allowed_vbd_devices(taken)


@implements(VM.get_allowed_VIF_devices)
async def get_allowed_vif_devices(call: Call, vm: Ref[VM]) -> tuple[str, ...]:
    taken = frozenset(call.db.get(vif).device for vif in call.db.get(vm).VIFs)
    return devices.allowed_vif_devices(taken)


@implements(VM.assert_operation_valid)
async def assert_operation_valid(call: Call, self: Ref[VM], op: VMOperation) -> None:
    assert_operation_allowed(call.db, self, op)


@implements(VM.update_allowed_operations)
async def update_allowed_operations(call: Call, self: Ref[VM]) -> None:
    """Nothing to do: the operations a VM allows follow from its record at every change."""
    call.db.get(self)


@implements(VM.assert_can_boot_here)
async def assert_can_boot_here(call: Call, self: Ref[VM], host: Ref[Host]) -> None:
    assert_fits(vm_demand(call.db, self), host_loads(call.db, only=host)[0])


@implements(VM.compute_memory_overhead)
async def compute_memory_overhead(call: Call, vm: Ref[VM]) -> int:
    return GUEST_OVERHEAD_BYTES


@implements(VM.maximise_memory)
async def maximise_memory(call: Call, self: Ref[VM], total: int, approximate: bool) -> int:
    return max(0, total - GUEST_OVERHEAD_BYTES)


def _assert_halted(call: Call, vm: Ref[VM]) -> None:
    state = call.db.get(vm).power_state
    if state is not VMPowerState.HALTED:
        raise errors.VM_BAD_POWER_STATE(vm, "halted", state.lower())


async def _add(call: Call, vm: Ref[VM], field: str, key: str, value: str) -> None:
    async with call.db.transaction() as txn:
        record = txn.get(vm)
        held: Mapping[str, str] = getattr(record, field)
        if key in held:
            raise errors.MAP_DUPLICATE_KEY("VM", field, record.uuid, key)
        txn.update(vm, **{field: {**held, key: value}})


async def _remove(call: Call, vm: Ref[VM], field: str, key: str) -> None:
    async with call.db.transaction() as txn:
        held: Mapping[str, str] = getattr(txn.get(vm), field)
        txn.update(vm, **{field: {k: v for k, v in held.items() if k != key}})


@implements("VM.set_is_a_template")
async def set_is_a_template(call: Call, self: Ref[VM], value: bool) -> None:
    if call.db.get(self).is_a_template == value:
        return
    async with operation(call, self, VMOperation.MAKE_INTO_TEMPLATE if value else VMOperation.PROVISION):
        await call.db.update(self, is_a_template=value)


@implements(VM.set_has_vendor_device)
async def set_has_vendor_device(call: Call, self: Ref[VM], value: bool) -> None:
    _assert_halted(call, self)
    await call.db.update(self, has_vendor_device=value)


@implements(VM.set_HVM_shadow_multiplier)
async def set_hvm_shadow_multiplier(call: Call, self: Ref[VM], value: float) -> None:
    if not 1.0 <= value < math.inf:
        raise errors.INVALID_VALUE("HVM_shadow_multiplier", value)
    await call.db.update(self, HVM_shadow_multiplier=value)


@implements(VM.get_cooperative)
async def get_cooperative(call: Call, self: Ref[VM]) -> bool:
    call.db.get(self)
    return True
