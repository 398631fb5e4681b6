"""VM: what its firmware says it is, and whether it checks signatures."""

from collections.abc import Mapping

from cardume.core.bios_strings import assert_valid
from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pool import Pool, PoolGuestSecurebootReadiness
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import SecurebootReadiness, UefiMode
from cardume.messages.call import Call
from cardume.messages.registry import implements


@implements(VM.set_bios_strings)
async def set_bios_strings(call: Call, self: Ref[VM], value: Mapping[str, str]) -> None:
    assert_valid(value)
    await _set_once(call, self, value)


@implements(VM.copy_bios_strings)
async def copy_bios_strings(call: Call, vm: Ref[VM], host: Ref[Host]) -> None:
    await _set_once(call, vm, call.db.get(host).bios_strings)


async def _set_once(call: Call, vm: Ref[VM], value: Mapping[str, str]) -> None:
    async with call.db.transaction() as txn:
        if txn.get(vm).bios_strings:
            raise errors.VM_BIOS_STRINGS_ALREADY_SET()
        txn.update(vm, bios_strings=dict(value))


@implements(VM.get_secureboot_readiness)
async def get_secureboot_readiness(call: Call, self: Ref[VM]) -> SecurebootReadiness:
    """No guest's firmware here checks signatures: UEFI ones do not when asked not to, and cannot when asked to."""
    vm = call.db.get(self)
    is_uefi = vm.HVM_boot_params.get("firmware") == "uefi"
    if is_uefi and vm.platform.get("secureboot", "false") == "false":
        return SecurebootReadiness.DISABLED
    return SecurebootReadiness.NOT_SUPPORTED


@implements(Pool.get_guest_secureboot_readiness)
async def get_guest_secureboot_readiness(call: Call, self: Ref[Pool]) -> PoolGuestSecurebootReadiness:
    """There are no certificates here that a guest's firmware could check by."""
    call.db.get(self)
    return PoolGuestSecurebootReadiness.NOT_READY


@implements(VM.set_uefi_mode)
async def set_uefi_mode(call: Call, self: Ref[VM], mode: UefiMode) -> str:
    """The firmware of UEFI guests has no keys, which is what setup mode means; there are none that it could get."""
    if call.db.get(self).HVM_boot_params.get("firmware") != "uefi":
        raise errors.OPERATION_NOT_ALLOWED("the VM starts by BIOS, which has no such modes")
    if mode is UefiMode.USER:
        raise errors.OPERATION_NOT_ALLOWED("there are no Secure Boot keys to give to the firmware")
    return "The firmware has no keys: it is in setup mode."
