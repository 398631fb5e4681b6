"""Settings of VMs that clients write and read, and what of them is refused."""

from tests.unit.messages.fake_host import Client


async def test_a_restart_priority_is_kept_and_an_unknown_one_refused(api: Client, vm: str) -> None:
    for priority in ("restart", "best-effort", ""):
        await api("VM.set_ha_restart_priority", vm, priority)
        assert await api("VM.get_ha_restart_priority", vm) == priority
    assert await api.refused("VM.set_ha_restart_priority", vm, "1") == ["INVALID_VALUE", "ha_restart_priority", "1"]


async def test_bios_strings_are_chosen_once(api: Client, vm: str) -> None:
    await api("VM.set_bios_strings", vm, {"bios-vendor": "Acme"})
    assert await api("VM.get_bios_strings", vm) == {"bios-vendor": "Acme"}
    assert await api.refused("VM.set_bios_strings", vm, {"bios-vendor": "B"}) == ["VM_BIOS_STRINGS_ALREADY_SET"]
    (member,) = await api("host.get_all")
    assert await api.refused("VM.copy_bios_strings", vm, member) == ["VM_BIOS_STRINGS_ALREADY_SET"]


async def test_a_vm_reads_its_hosts_maker_as_its_own(api: Client, vm: str) -> None:
    (member,) = await api("host.get_all")
    await api("VM.copy_bios_strings", vm, member)
    assert await api("VM.get_bios_strings", vm) == {"system-manufacturer": "Test"}


async def test_secure_boot_is_told_as_it_is(api: Client, vm: str) -> None:
    assert await api("VM.get_secureboot_readiness", vm) == "not_supported"
    assert (await api.refused("VM.set_uefi_mode", vm, "setup"))[0] == "OPERATION_NOT_ALLOWED"
    await api("VM.set_HVM_boot_params", vm, {"order": "cd", "firmware": "uefi"})
    assert await api("VM.get_secureboot_readiness", vm) == "disabled"
    assert "setup mode" in await api("VM.set_uefi_mode", vm, "setup")
    assert (await api.refused("VM.set_uefi_mode", vm, "user"))[0] == "OPERATION_NOT_ALLOWED"
    await api("VM.add_to_platform", vm, "secureboot", "true")
    assert await api("VM.get_secureboot_readiness", vm) == "not_supported"
    (pool,) = await api("pool.get_all")
    assert await api("pool.get_guest_secureboot_readiness", pool) == "not_ready"


async def test_a_vm_on_local_disks_cannot_move_and_says_why(api: Client, vm: str, sr: str) -> None:
    assert await api.refused("VM.assert_agile", vm) == ["HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", sr]


async def test_what_changes_only_at_rest_is_refused_while_it_runs(api: Client, vm: str) -> None:
    await api("VM.set_has_vendor_device", vm, True)
    await api("VM.set_HVM_shadow_multiplier", vm, 2.0)
    assert await api("VM.get_HVM_shadow_multiplier", vm) == 2.0
    assert (await api.refused("VM.set_HVM_shadow_multiplier", vm, 0.5))[0] == "INVALID_VALUE"
    await api("VM.start", vm, False, False)
    assert await api.refused("VM.set_has_vendor_device", vm, False) == [
        "VM_BAD_POWER_STATE",
        vm,
        "halted",
        "running",
    ]


async def test_cores_that_do_not_divide_the_vcpus_are_refused_at_the_start(api: Client, vm: str) -> None:
    await api("VM.set_VCPUs_max", vm, 4)
    for cores, description in (
        ("3", ["VCPU_MAX_NOT_CORES_PER_SOCKET_MULTIPLE", "4", "3"]),
        ("0", ["INVALID_VALUE", "platform:cores-per-socket", "0"]),
    ):
        await api("VM.set_platform", vm, {"cores-per-socket": cores})
        assert await api.refused("VM.start", vm, False, False) == description
    await api("VM.set_platform", vm, {"cores-per-socket": "2"})
    await api("VM.start", vm, False, False)
