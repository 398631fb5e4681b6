"""Commands about storage, networks, hosts and what the pool keeps."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.pool_at_hand import NULL, Shell, small_pool

from cardume.cli.commands import every_command


@pytest.fixture
def shell() -> Shell:
    return Shell(small_pool())


def made(shell: Shell, cls: str) -> dict[str, Any]:
    """What the one constructor call of a class was given."""
    ((_, record),) = shell.pool.done(f"{cls}.create")
    assert isinstance(record, dict)
    return record


def test_a_disk_is_made_with_its_size_in_bytes_and_its_uuid_printed(shell: Shell) -> None:
    outcome = shell.xe(
        "vdi-create", "sr-uuid=uuid-of-local", "name-label=d", "virtual-size=10GiB", "sm-config:image-format=qcow2"
    )
    assert outcome.out == "uuid-of-new-VDI-2\n", outcome.err
    record = made(shell, "VDI")
    chosen = {name: record[name] for name in ("SR", "name_label", "virtual_size", "type", "sharable", "sm_config")}
    assert chosen == {
        "SR": "OpaqueRef:local",
        "name_label": "d",
        "virtual_size": "10737418240",
        "type": "user",
        "sharable": False,
        "sm_config": {"image-format": "qcow2"},
    }


@pytest.mark.parametrize("size", ["ten", "10XiB", "-1", ""])
def test_a_size_that_is_none_is_refused(shell: Shell, size: str) -> None:
    outcome = shell.xe("vdi-create", "sr-uuid=uuid-of-local", "name-label=d", f"virtual-size={size}")
    assert "Failed to parse parameter 'virtual-size'" in outcome.err
    assert shell.pool.done() == []


def test_an_sr_is_created_on_the_only_host_with_its_device_config(shell: Shell) -> None:
    shell.pool.answers["SR.create"] = lambda *_: "OpaqueRef:isos"
    outcome = shell.xe(
        "sr-create",
        "name-label=iSCSI",
        "type=lvmoiscsi",
        "shared=true",
        "device-config:target=10.0.0.9",
        "device-config:port=3260",
        "content-type=user",
    )
    assert outcome.out == "uuid-of-isos\n"
    config = {"target": "10.0.0.9", "port": "3260"}
    assert shell.pool.done() == [
        ("SR.create", "OpaqueRef:host", config, "0", "iSCSI", "", "lvmoiscsi", "user", True, {})
    ]


def test_a_local_sr_in_a_pool_of_several_hosts_needs_to_know_its_host(shell: Shell) -> None:
    shell.pool.add("host", "host-2", name_label="d2-g1")
    outcome = shell.xe("sr-create", "name-label=x", "type=ext")
    assert outcome.err == "Error: Required parameter not found: host-uuid\n"


def test_a_secret_part_of_device_config_may_be_read_from_a_file(shell: Shell, tmp_path: Any) -> None:
    (tmp_path / "chap").write_text("s3cret\n")
    shell.pool.answers["SR.create"] = lambda *_: "OpaqueRef:isos"
    shell.xe("sr-create", "name-label=x", "type=ext", f"device-config:chappassword-filename={tmp_path / 'chap'}")
    assert shell.pool.done()[0][2] == {"chappassword": "s3cret"}


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("sr-scan", "uuid=uuid-of-local"), ("SR.scan", "OpaqueRef:local")),
        (("sr-forget", "uuid=uuid-of-isos"), ("SR.forget", "OpaqueRef:isos")),
        (("sr-update", "uuid=uuid-of-isos"), ("SR.update", "OpaqueRef:isos")),
        (("pbd-plug", "uuid=uuid-of-pbd-isos"), ("PBD.plug", "OpaqueRef:pbd-isos")),
        (("pbd-unplug", "uuid=uuid-of-pbd-isos"), ("PBD.unplug", "OpaqueRef:pbd-isos")),
        (("vdi-resize", "uuid=uuid-of-disk", "disk-size=1KiB"), ("VDI.resize", "OpaqueRef:disk", "1024")),
        (("vdi-forget", "uuid=uuid-of-disk"), ("VDI.forget", "OpaqueRef:disk")),
        (("vbd-plug", "uuid=uuid-of-drive"), ("VBD.plug", "OpaqueRef:drive")),
        (("vbd-unplug", "uuid=uuid-of-drive", "--force"), ("VBD.unplug_force", "OpaqueRef:drive")),
        (
            ("vbd-insert", "uuid=uuid-of-cd-drive", "vdi-uuid=uuid-of-cd"),
            ("VBD.insert", "OpaqueRef:cd-drive", "OpaqueRef:cd"),
        ),
        (("vif-plug", "uuid=uuid-of-card"), ("VIF.plug", "OpaqueRef:card")),
        (("vif-unplug", "uuid=uuid-of-card"), ("VIF.unplug", "OpaqueRef:card")),
        (
            ("vif-move", "uuid=uuid-of-card", "network-uuid=uuid-of-lan"),
            ("VIF.move", "OpaqueRef:card", "OpaqueRef:lan"),
        ),
        (("host-disable", "host=d1-g1"), ("host.disable", "OpaqueRef:host", True)),
        (("host-enable", "uuid=uuid-of-host"), ("host.enable", "OpaqueRef:host")),
        (("message-destroy", "uuid=uuid-of-alert"), ("message.destroy_many", ["OpaqueRef:alert"])),
        (("message-destroy-all", "priority=5"), ("message.destroy_all", {"priority": "5"})),
        (
            ("subject-role-add", "uuid=uuid-of-ana", "role-name=pool-admin"),
            ("subject.add_to_roles", "OpaqueRef:ana", "OpaqueRef:admin"),
        ),
        (
            ("message-create", "name=X", "priority=3", "body=b", "vm-uuid=uuid-of-vm-1"),
            ("message.create", "X", "3", "VM", "uuid-of-vm-1", "b"),
        ),
        (("pif-scan", "host-uuid=uuid-of-host"), ("PIF.scan", "OpaqueRef:host")),
        (("pif-forget", "uuid=uuid-of-eth0"), ("PIF.forget", "OpaqueRef:eth0")),
        (("pif-plug", "uuid=uuid-of-eth0"), ("PIF.plug", "OpaqueRef:eth0")),
        (("pif-unplug", "uuid=uuid-of-eth0"), ("PIF.unplug", "OpaqueRef:eth0")),
        (
            ("pif-reconfigure-ip", "uuid=uuid-of-eth0", "mode=static", "IP=10.0.0.5", "netmask=255.0.0.0"),
            ("PIF.reconfigure_ip", "OpaqueRef:eth0", "Static", "10.0.0.5", "255.0.0.0", "", ""),
        ),
        (
            ("pif-reconfigure-ipv6", "uuid=uuid-of-eth0", "mode=autoconf"),
            ("PIF.reconfigure_ipv6", "OpaqueRef:eth0", "Autoconf", "", "", ""),
        ),
        (
            ("pif-set-primary-address-type", "uuid=uuid-of-eth0", "primary_address_type=ipv6"),
            ("PIF.set_primary_address_type", "OpaqueRef:eth0", "IPv6"),
        ),
        (("bond-destroy", "uuid=uuid-of-both"), ("Bond.destroy", "OpaqueRef:both")),
        (("bond-set-mode", "uuid=uuid-of-both", "mode=lacp"), ("Bond.set_mode", "OpaqueRef:both", "lacp")),
        (("vlan-destroy", "uuid=uuid-of-tag30"), ("VLAN.destroy", "OpaqueRef:tag30")),
        (("vlan-destroy", "uuid=uuid-of-eth0.30"), ("VLAN.destroy", "OpaqueRef:tag30")),
        (("host-management-reconfigure", "pif-uuid=uuid-of-eth0"), ("host.management_reconfigure", "OpaqueRef:eth0")),
        (("host-management-disable",), ("host.management_disable",)),
        (
            ("pool-management-reconfigure", "network-uuid=uuid-of-lan"),
            ("pool.management_reconfigure", "OpaqueRef:lan"),
        ),
        (
            ("vif-configure-ipv4", "uuid=uuid-of-card", "mode=static", "address=10.0.0.5/24"),
            ("VIF.configure_ipv4", "OpaqueRef:card", "Static", "10.0.0.5/24", ""),
        ),
        (("network-destroy", "uuid=uuid-of-lan"), ("network.destroy", "OpaqueRef:lan")),
        (("appliance-shutdown", "uuid=uuid-of-site"), ("VM_appliance.clean_shutdown", "OpaqueRef:site")),
        (("appliance-shutdown", "uuid=uuid-of-site", "force=true"), ("VM_appliance.hard_shutdown", "OpaqueRef:site")),
        (("subject-remove", "subject-uuid=uuid-of-ana"), ("subject.destroy", "OpaqueRef:ana")),
    ],
)
def test_a_command_sends_its_message(shell: Shell, arguments: tuple[str, ...], call: tuple[Any, ...]) -> None:
    shell.pool.add("PIF", "eth0.30", VLAN_master_of=shell.pool.add("VLAN", "tag30"))
    shell.pool.add("Bond", "both")
    shell.pool.add("VM_appliance", "site")
    shell.pool.answers[call[0]] = lambda *_: ""
    outcome = shell.xe(*arguments)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert shell.pool.done() == [call]


def test_a_task_is_cancelled_by_its_uuid(shell: Shell) -> None:
    shell.pool.answers["task.cancel"] = lambda task: ""
    assert shell.xe("task-cancel", "uuid=uuid-of-work").code == 0
    assert ("task.cancel", "OpaqueRef:work") in shell.pool.calls


def test_a_copied_disk_goes_to_an_sr_or_into_a_disk_but_not_both(shell: Shell) -> None:
    shell.pool.answers["VDI.copy"] = lambda *_: "OpaqueRef:cd"
    assert shell.xe("vdi-copy", "uuid=uuid-of-disk", "sr-uuid=uuid-of-isos").out == "uuid-of-cd\n"
    assert shell.pool.done() == [("VDI.copy", "OpaqueRef:disk", "OpaqueRef:isos", NULL, NULL)]
    assert "one but not both" in shell.xe("vdi-copy", "uuid=uuid-of-disk").err


def test_an_empty_drive_can_be_made_for_cds_only(shell: Shell) -> None:
    refused = shell.xe("vbd-create", "vm-uuid=uuid-of-vm-2", "device=0")
    assert refused.err == "Error: Empty VBDs can only be made for type=CD\n"
    assert shell.xe("vbd-create", "vm-uuid=uuid-of-vm-2", "device=3", "type=cd", "mode=ro").out == "uuid-of-new-VBD-2\n"
    record = made(shell, "VBD")
    assert (record["type"], record["mode"], record["empty"], record["VDI"]) == ("CD", "RO", True, NULL)


def test_a_network_card_takes_its_networks_frame_size_and_a_random_address_is_local(shell: Shell) -> None:
    shell.xe("vif-create", "vm-uuid=uuid-of-vm-2", "network-uuid=uuid-of-lan", "device=1", "mac=random")
    record = made(shell, "VIF")
    assert (record["device"], record["MTU"], record["network"]) == ("1", "1500", "OpaqueRef:lan")
    assert int(record["MAC"][:2], 16) & 3 == 2
    assert len(record["MAC"]) == 17


def test_networks_pbds_and_secrets_are_made_and_their_uuids_printed(shell: Shell) -> None:
    assert shell.xe("network-create", "name-label=n").out == "uuid-of-new-network-1\n"
    assert made(shell, "network")["MTU"] == "1500"
    linked = shell.xe("pbd-create", "host-uuid=uuid-of-host", "sr-uuid=uuid-of-local", "device-config:location=/x")
    assert linked.out == "uuid-of-new-PBD-2\n"
    assert made(shell, "PBD")["device_config"] == {"location": "/x"}
    assert shell.xe("secret-create", "value=v").out == "uuid-of-new-secret-0\n"


def test_the_hosts_clock_and_cds_are_shown(shell: Shell) -> None:
    shell.pool.answers["host.get_server_localtime"] = lambda host: "20260102T03:04:05Z"
    assert shell.xe("host-get-server-localtime", "host=d1-g1").out == "20260102T03:04:05Z\n"
    assert shell.xe("cd-list", "--minimal", "params=name-label").line == "debian.iso"


def test_waiting_for_an_event_ends_when_the_fields_have_the_values(shell: Shell) -> None:
    halted = {**shell.pool.records["VM"]["OpaqueRef:vm-1"], "power_state": "Halted"}
    running = shell.pool.records["VM"]["OpaqueRef:vm-1"]
    batches = iter([running, running, halted])

    def events(classes: list[str], token: str, timeout: float) -> dict[str, Any]:
        assert classes == ["vm"]
        event = {"ref": "OpaqueRef:vm-1", "class": "vm", "operation": "mod", "snapshot": next(batches)}
        return {"token": token + "1", "events": [event, {"ref": "OpaqueRef:gone", "operation": "del"}]}

    shell.pool.answers["event.from"] = events
    assert shell.xe("event-wait", "class=vm", "uuid=uuid-of-vm-1", "power-state=/=running").code == 0
    assert [call[2] for call in shell.pool.calls] == ["", "1", "11"]
    assert "Unknown field 'colour'" in shell.xe("event-wait", "class=vm", "colour=red").err


def test_a_bond_is_made_of_interfaces_and_a_vlan_prints_its_interface(shell: Shell) -> None:
    pool = shell.pool
    pool.add("PIF", "eth1")
    pool.add("PIF", "eth0.30")
    pool.add("VLAN", "tag30", untagged_PIF="OpaqueRef:eth0.30")
    pool.add("Bond", "both")
    pool.answers["Bond.create"] = lambda *_: "OpaqueRef:both"
    pool.answers["VLAN.create"] = lambda *_: "OpaqueRef:tag30"
    pool.answers["pool.create_VLAN_from_PIF"] = lambda *_: ["OpaqueRef:eth0.30"]

    members = "pif-uuids=uuid-of-eth0,uuid-of-eth1"
    bond = shell.xe("bond-create", "network-uuid=uuid-of-lan", members, "mode=lacp", "properties:lacp-time=fast")
    assert bond.out == "uuid-of-both\n", bond.err
    where = ("pif-uuid=uuid-of-eth0", "vlan=30", "network-uuid=uuid-of-lan")
    assert shell.xe("vlan-create", *where).out == "uuid-of-eth0.30\n"
    assert shell.xe("pool-vlan-create", *where).out == "uuid-of-eth0.30\n"
    assert pool.done() == [
        ("Bond.create", "OpaqueRef:lan", ["OpaqueRef:eth0", "OpaqueRef:eth1"], "", "lacp", {"lacp-time": "fast"}),
        ("VLAN.create", "OpaqueRef:eth0", "30", "OpaqueRef:lan"),
        ("pool.create_VLAN_from_PIF", "OpaqueRef:eth0", "OpaqueRef:lan", "30"),
    ]


def test_no_command_is_written_twice() -> None:
    names = [command.name for command in every_command()]
    assert sorted(names) == sorted(set(names))


def test_a_plugin_is_called_with_its_arguments(shell: Shell) -> None:
    shell.pool.answers["host.call_plugin"] = lambda *_: '{"a": 1}'
    outcome = shell.xe("host-call-plugin", "host-uuid=uuid-of-host", "plugin=p.py", "fn=f", "args:k=v", "args:l=w=x")
    assert outcome.out == '{"a": 1}\n', outcome.err
    assert shell.pool.done() == [("host.call_plugin", "OpaqueRef:host", "p.py", "f", {"k": "v", "l": "w=x"})]


def test_a_certificate_is_installed_from_files(shell: Shell, tmp_path: Path) -> None:
    for name in ("certificate", "key"):
        (tmp_path / name).write_text(f"{name}\n")
    shell.pool.answers["host.install_server_certificate"] = lambda *_: ""
    files = [f"certificate={tmp_path}/certificate", f"private-key={tmp_path}/key"]
    outcome = shell.xe("host-server-certificate-install", *files)
    assert outcome.err == ""
    assert shell.pool.done() == [("host.install_server_certificate", "OpaqueRef:host", "certificate\n", "key\n", "")]

    outcome = shell.xe("host-server-certificate-install", "certificate=/nowhere/c", files[1])
    assert "The file /nowhere/c cannot be read" in outcome.err


def test_a_blob_is_made_with_one_object(shell: Shell) -> None:
    shell.pool.add("blob", "icon")
    shell.pool.answers["host.create_new_blob"] = lambda *_: "OpaqueRef:icon"
    outcome = shell.xe("blob-create", "name=icon", "host-uuid=uuid-of-host", "mime-type=image/png", "public=true")
    assert outcome.out == "uuid-of-icon\n", outcome.err
    assert shell.pool.done() == [("host.create_new_blob", "OpaqueRef:host", "icon", "image/png", True)]
    assert "Need one of" in shell.xe("blob-create", "name=icon").err
