"""Every command that clients and scripts use is there, described, and in the reference page."""

from pathlib import Path

import pytest
from tests.unit.cli.pool_at_hand import Shell, small_pool

from cardume.cli.commands import all_commands, find_command
from cardume.cli.reference import page
from cardume.cli.views import views
from cardume.datamodel.schema import schema

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "xe.md"

# What xcp-ng-tests, the handout's steps and scripts call, whether the server has the message behind it already or not.
CALLED = """
vm-list vm-param-list vm-param-get vm-param-set vm-param-add vm-param-remove vm-param-clear template-list
snapshot-list vm-install vm-clone vm-copy vm-create vm-destroy vm-uninstall template-uninstall vm-start vm-shutdown
vm-reboot vm-suspend vm-resume vm-pause vm-unpause vm-reset-powerstate vm-compute-memory-overhead vm-memory-limits-set
vm-memory-set vm-vcpu-hotplug vm-disk-list vm-disk-add vm-disk-remove vm-cd-list vm-cd-add vm-cd-remove vm-cd-insert
vm-cd-eject vm-vif-list cd-list vbd-list vbd-param-get vbd-create vbd-destroy vbd-plug vbd-unplug vbd-insert vbd-eject
vif-list vif-param-get vif-param-set vif-create vif-destroy vif-plug vif-unplug vif-move vdi-list vdi-param-get
vdi-param-set vdi-create vdi-destroy vdi-clone vdi-copy vdi-resize vdi-update vdi-forget sr-list sr-param-get
sr-param-set sr-create sr-introduce sr-scan sr-update sr-forget sr-destroy sr-probe pbd-list pbd-param-get pbd-create
pbd-destroy pbd-plug pbd-unplug network-list network-param-get network-create network-destroy pif-list pif-param-get
host-list host-param-get host-param-set host-enable host-disable host-get-server-localtime pool-list pool-param-get
pool-param-set pool-param-add pool-param-remove task-list task-cancel event-wait console-list sm-list message-list
message-create message-destroy secret-list secret-create secret-destroy subject-list subject-add subject-remove
subject-role-add subject-role-remove role-list user-password-change host-cpu-list bond-create bond-destroy
bond-param-get certificate-list host-call-plugin host-dmesg host-evacuate host-management-disable
host-management-reconfigure host-refresh-server-certificate pci-disable-dom0-access pci-enable-dom0-access
pci-get-dom0-access-status pci-param-get pgpu-disable-dom0-access pgpu-enable-dom0-access pgpu-list pgpu-param-get
pif-forget pif-plug pif-reconfigure-ip pif-reconfigure-ipv6 pif-scan pif-set-primary-address-type pif-unplug
pool-eject pool-get-guest-secureboot-readiness pool-join sdn-controller-list snapshot-disk-list snapshot-revert
snapshot-uninstall vdi-export vdi-import vdi-snapshot vif-configure-ipv4 vif-configure-ipv6 vm-checkpoint vm-export
vm-get-secureboot-readiness vm-import vm-migrate vm-set-uefi-mode vm-snapshot vtpm-create vtpm-destroy vtpm-list
pif-param-set pif-param-add network-param-set vbd-param-set vdi-param-add task-param-get host-param-add
pool-param-clear snapshot-clone snapshot-copy vlan-create vlan-destroy pool-vlan-create pool-designate-new-master
pool-emergency-transition-to-master pool-ha-enable pool-ha-disable host-reboot host-shutdown host-forget
host-declare-dead appliance-create vmss-create cluster-pool-create usb-group-create completion server-forget
"""


@pytest.mark.parametrize("name", CALLED.split())
def test_a_command_that_clients_call_exists_and_is_described(name: str) -> None:
    command = find_command(name)
    assert command is not None
    assert command.doc.endswith(".")
    assert command == all_commands()[name] or command.name == name  # generated ones are made anew each time


def test_the_reference_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run `python -m cardume.cli.reference > docs/reference/xe.md`"


def test_every_field_of_every_shown_class_can_be_read() -> None:
    for view in views().values():
        own = {made.own.name for made in view.fields.values() if made.own is not None}
        # Shown under other names and in other words: a VBD's disk, a subject's roles, an SR's host.
        derived = {"metrics", "guest_metrics", "roles", "last_booted_record"}
        assert schema().classes[view.cls].fields.keys() - own - derived == set(), view.prefix


def test_help_lists_the_common_commands_and_with_all_every_one() -> None:
    shell = Shell(small_pool())
    common, everything = shell.xe("help").out, shell.xe("help", "--all").out
    assert ("vm-start" in common, "pbd-param-get" in common) == (True, False)
    assert ("vm-start" in everything, "pbd-param-get" in everything) == (True, True)
    assert "vm-install" in shell.xe("help", "--minimal").line.split(",")


def test_help_describes_one_command() -> None:
    described = Shell(small_pool()).xe("help", "vm-clone").out
    assert described.startswith(
        "command name       : vm-clone\n"
        "    required params: new-name-label\n"
        "    optional params: new-name-description, progress, vm, <vm-selectors>\n"
        "        description: Make a VM or template like another"
    )
    assert Shell(small_pool()).xe("help", "vm-zap").err.startswith("Unknown command: vm-zap\n")
