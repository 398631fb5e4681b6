"""VM_appliance: VMs that start and stop together, turn by turn."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from cardume.core.appliance_lifecycle import Member, Turn, plan_turns
from cardume.core.operations import why_busy
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_appliance import ApplianceOperation, VMAppliance
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages import vm_power
from cardume.messages.call import Call
from cardume.messages.lifecycle import operation
from cardume.messages.registry import implements

Act = Callable[[Call, Ref[VM]], Awaitable[None]]


@implements("VM_appliance.create")
async def create(call: Call, args: VMAppliance) -> Ref[VMAppliance]:
    return await call.db.create(dataclasses.replace(args, uuid=""))


@implements("VM_appliance.destroy")
async def destroy(call: Call, self: Ref[VMAppliance]) -> None:
    """Its VMs stay as they are, each on its own."""
    async with call.db.transaction() as txn:
        appliance = txn.get(self)
        if (busy := why_busy("VM_appliance", self, appliance.current_operations)) is not None:
            raise busy
        for vm in appliance.VMs:
            txn.update(vm, appliance=NULL)
        txn.delete(self)


@implements(VM.set_appliance)
async def set_appliance(call: Call, self: Ref[VM], value: Ref[VMAppliance]) -> None:
    async with call.db.transaction() as txn:
        vm = txn.get(self)
        if vm.is_control_domain:
            raise errors.OPERATION_NOT_ALLOWED("this VM stands for the host itself")
        if vm.is_a_snapshot:
            raise errors.VM_IS_SNAPSHOT(self)
        if vm.is_a_template:
            raise errors.VM_IS_TEMPLATE(self)
        txn.update(self, appliance=value)


@implements(VMAppliance.start, as_task=True)
async def start(call: Call, self: Ref[VMAppliance], paused: bool) -> None:
    async def begin(call: Call, vm: Ref[VM]) -> None:
        await vm_power.start(call, vm, start_paused=paused, force=False)

    await _turn_by_turn(call, self, ApplianceOperation.START, begin)


@implements(VMAppliance.clean_shutdown, as_task=True)
async def clean_shutdown(call: Call, self: Ref[VMAppliance]) -> None:
    await _turn_by_turn(call, self, ApplianceOperation.CLEAN_SHUTDOWN, vm_power.clean_shutdown)


@implements(VMAppliance.hard_shutdown, as_task=True)
async def hard_shutdown(call: Call, self: Ref[VMAppliance]) -> None:
    await _turn_by_turn(call, self, ApplianceOperation.HARD_SHUTDOWN, vm_power.hard_shutdown)


@implements(VMAppliance.shutdown, as_task=True)
async def shutdown(call: Call, self: Ref[VMAppliance]) -> None:
    await _turn_by_turn(call, self, ApplianceOperation.SHUTDOWN, vm_power.shutdown)


async def _turn_by_turn(call: Call, appliance: Ref[VMAppliance], what: ApplianceOperation, act: Act) -> None:
    """Act on the VMs that need it, one turn after the other.

    A turn with a failure is the last: VMs of the next may count on those that failed.
    """
    async with operation(call, appliance, what):
        turns = plan_turns(_members(call, appliance, what), what)
        total, done = sum(len(turn.refs) for turn in turns), 0
        for turn in turns:
            if not await _take(call, turn, act):
                raise errors.OPERATION_PARTIALLY_FAILED(what)
            done += len(turn.refs)
            call.task.progress(done / total)
            await asyncio.sleep(turn.wait_s)


def _members(call: Call, appliance: Ref[VMAppliance], what: ApplianceOperation) -> list[Member]:
    """The VMs of the appliance that are not yet where the operation brings them."""
    found = {ref: call.db.get(ref) for ref in call.db.get(appliance).VMs}
    wants_halted = what is ApplianceOperation.START
    return [
        Member(ref, vm.order, vm.start_delay, vm.shutdown_delay)
        for ref, vm in found.items()
        if (vm.power_state is VMPowerState.HALTED) is wants_halted
    ]


async def _take(call: Call, turn: Turn, act: Act) -> bool:
    """True when it went well with every VM of a turn."""

    async def one(vm: Ref[Any]) -> bool:
        try:
            await act(call, vm)
        except ApiError as fault:
            call.log.warning("appliance_vm_failed", vm=str(vm), error=fault.code)
            return False
        return True

    async with asyncio.TaskGroup() as group:
        taken = [group.create_task(one(Ref(vm))) for vm in turn.refs]
    return all(task.result() for task in taken)
