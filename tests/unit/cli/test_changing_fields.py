"""param-set, -add, -remove and -clear."""

from typing import Any

import pytest
from tests.unit.cli.pool_at_hand import NULL, Shell, small_pool

VM = "uuid=uuid-of-vm-1"
VM_REF = "OpaqueRef:vm-1"


@pytest.fixture
def shell() -> Shell:
    return Shell(small_pool())


@pytest.mark.parametrize(
    ("arguments", "calls"),
    [
        (("name-label=web=1",), [("VM.set_name_label", VM_REF, "web=1")]),
        (("VCPUs-max=4",), [("VM.set_VCPUs_max", VM_REF, "4")]),
        (("has-vendor-device=false",), [("VM.set_has_vendor_device", VM_REF, False)]),
        (("platform:hpet=true",), [("VM.add_to_platform", VM_REF, "hpet", "true")]),
        (
            ("platform:viridian=false",),
            [("VM.remove_from_platform", VM_REF, "viridian"), ("VM.add_to_platform", VM_REF, "viridian", "false")],
        ),
        (("HVM-boot-params-order=cdn",), [("VM.add_to_HVM_boot_params", VM_REF, "order", "cdn")]),
        (("affinity=uuid-of-host",), [("VM.set_affinity", VM_REF, "OpaqueRef:host")]),
        (("affinity=",), [("VM.set_affinity", VM_REF, NULL)]),
        (
            ("actions-after-crash=Core dump and restart",),
            [("VM.set_actions_after_crash", VM_REF, "coredump_and_restart")],
        ),
        (("actions-after-reboot=restart",), [("VM.set_actions_after_reboot", VM_REF, "restart")]),
        (("HVM-shadow-multiplier=1.5",), [("VM.set_HVM_shadow_multiplier", VM_REF, 1.5)]),
    ],
)
def test_values_are_set_as_their_type(shell: Shell, arguments: tuple[str, ...], calls: list[tuple[Any, ...]]) -> None:
    outcome = shell.xe("vm-param-set", VM, *arguments)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert shell.pool.done() == calls


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vm-param-set", VM, "power-state=halted"), "Error: Field 'power-state' is read-only."),
        (("vm-param-set", VM, "colour=red"), "Error: Unknown field 'colour'"),
        (("vm-param-set", VM, "VCPUs-max=many"), "Error: Failed to parse parameter 'VCPUs-max': expecting an integer"),
        (
            ("vm-param-set", VM, "is-a-template=perhaps"),
            "Error: Failed to parse parameter 'is-a-template': expecting a boolean (true or false)",
        ),
        (("vm-param-set", VM, "name-label:x=y"), "Error: Field 'name-label' is not a set or map"),
        (
            ("vm-param-set", VM, "actions-after-crash=explode"),
            "Error: Failed to parse parameter 'actions-after-crash': expecting one of destroy, coredump_and_destroy,"
            " restart, coredump_and_restart, preserve, rename_restart",
        ),
        (("vm-param-get", VM, "param-name=platform", "param-key=pae"), "Error: Key pae not found in map"),
        (("vm-param-add", VM, "param-name=name-label", "a=b"), "Error: Can only add to parameters of type Set or Map"),
        (("vm-param-add", VM, "param-name=networks", "a=b"), "Error: Parameter is read-only"),
        (("vm-param-remove", VM, "param-name=platform", "param-key=pae"), "Error: Key pae is not in map"),
        (("vm-param-remove", VM, "param-name=tags", "param-key=none"), "Error: Key none is not in the set"),
        (("vm-param-clear", VM, "param-name=power-state"), "Error: Can only clear RW parameters"),
        (("vm-param-clear", VM, "param-name=VCPUs-max"), "Error: Cannot clear this parameter"),
        (("sr-param-set", "uuid=uuid-of-local", "sm-config:a=b"), "Error: Map field 'sm-config' is read-only."),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    shell: Shell, arguments: tuple[str, ...], message: str
) -> None:
    outcome = shell.xe(*arguments)
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"{message}\n")
    assert shell.pool.done() == []


def test_sets_and_maps_grow_shrink_and_are_emptied(shell: Shell) -> None:
    shell.xe("vm-param-add", VM, "param-name=tags", "param-key=blue")
    shell.xe("vm-param-remove", VM, "param-name=tags", "param-key=web")
    shell.xe("vm-param-add", VM, "param-name=other-config", "a=1", "b=2")
    shell.xe("vm-param-remove", VM, "param-name=platform", "param-key=nx")
    record = shell.pool.records["VM"][VM_REF]
    assert (record["tags"], record["other_config"]) == (["blue"], {"a": "1", "b": "2"})
    assert record["platform"] == {"viridian": "true"}
    for name in ("tags", "other-config", "name-label", "affinity"):
        assert shell.xe("vm-param-clear", VM, f"param-name={name}").code == 0
    assert (record["tags"], record["other_config"]) == ([], {})
    assert (record["name_label"], record["affinity"]) == ("", NULL)
