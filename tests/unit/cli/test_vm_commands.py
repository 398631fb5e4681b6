"""Commands about VMs and what is in them: which messages they send, and what they print."""

from typing import Any

import pytest
from tests.unit.cli.pool_at_hand import NULL, Refusal, Shell, small_pool

GIB = 2**30


@pytest.fixture
def shell() -> Shell:
    shell = Shell(small_pool())

    def duplicate(vm: str, name: str, sr: str = NULL) -> str:
        return shell.pool.add(
            "VM", name, **{**shell.pool.records["VM"][vm], "name_label": name, "uuid": f"uuid-{name}"}
        )

    shell.pool.answers |= {"VM.clone": duplicate, "VM.copy": duplicate, "VM.provision": lambda vm: ""}
    for quiet in (
        "start",
        "start_on",
        "clean_shutdown",
        "hard_shutdown",
        "clean_reboot",
        "hard_reboot",
        "suspend",
        "resume",
        "resume_on",
        "pause",
        "unpause",
        "power_state_reset",
        "set_memory",
        "set_memory_limits",
        "set_VCPUs_number_live",
    ):
        shell.pool.answers[f"VM.{quiet}"] = lambda *_: ""
    return shell


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("vm-start", "vm=vm-2"), ("VM.start", "OpaqueRef:vm-2", False, False)),
        (("vm-start", "uuid=uuid-of-vm-2", "paused=true"), ("VM.start", "OpaqueRef:vm-2", True, False)),
        (("vm-start", "vm=vm-2", "on=d1-g1"), ("VM.start_on", "OpaqueRef:vm-2", "OpaqueRef:host", False, False)),
        (("vm-shutdown", "vm=uuid-of-vm-1"), ("VM.clean_shutdown", "OpaqueRef:vm-1")),
        (("vm-shutdown", "name-label=vm-1", "force=true"), ("VM.hard_shutdown", "OpaqueRef:vm-1")),
        (("vm-reboot", "vm=vm-1", "--force"), ("VM.hard_reboot", "OpaqueRef:vm-1")),
        (("vm-suspend", "vm=vm-1", "--progress"), ("VM.suspend", "OpaqueRef:vm-1")),
        (
            ("vm-resume", "vm=vm-1", "on=uuid-of-host"),
            ("VM.resume_on", "OpaqueRef:vm-1", "OpaqueRef:host", False, False),
        ),
        (("vm-pause", "vm=vm-1"), ("VM.pause", "OpaqueRef:vm-1")),
        (("vm-reset-powerstate", "vm=vm-1", "--force"), ("VM.power_state_reset", "OpaqueRef:vm-1")),
        (("vm-memory-set", "vm=vm-2", "memory=2GiB"), ("VM.set_memory", "OpaqueRef:vm-2", str(2 * GIB))),
        (
            (
                "vm-memory-limits-set",
                "vm=vm-2",
                "static-min=1",
                "dynamic-min=1KiB",
                "dynamic-max=1MiB",
                "static-max=1g",
            ),
            ("VM.set_memory_limits", "OpaqueRef:vm-2", "1", str(GIB), "1024", "1048576"),
        ),
        (("vm-vcpu-hotplug", "vm=vm-1", "new-vcpus=4"), ("VM.set_VCPUs_number_live", "OpaqueRef:vm-1", "4")),
        (("vm-cd-insert", "vm=vm-1", "cd-name=debian.iso"), ("VBD.insert", "OpaqueRef:cd-drive", "OpaqueRef:cd")),
        (("vm-cd-eject", "vm=vm-1"), ("VBD.eject", "OpaqueRef:cd-drive")),
        (("vm-cd-remove", "vm=vm-1", "cd-name=<EMPTY>"), ("VBD.destroy", "OpaqueRef:cd-drive")),
    ],
)
def test_a_command_sends_its_message(shell: Shell, arguments: tuple[str, ...], call: tuple[Any, ...]) -> None:
    shell.pool.answers |= {"VBD.insert": lambda *_: "", "VBD.eject": lambda *_: ""}
    outcome = shell.xe(*arguments)
    assert (outcome.code, outcome.out) == (0, ""), outcome.err
    assert shell.pool.done() == [call]


def test_work_is_done_as_a_task_that_is_forgotten_after_it(shell: Shell) -> None:
    tasks = len(shell.pool.records["task"])
    shell.xe("vm-start", "vm=vm-2")
    assert [call[0] for call in shell.pool.calls][-2:] == ["task.get_record", "task.destroy"]
    assert len(shell.pool.records["task"]) == tasks


def test_a_reset_of_the_power_state_must_be_forced(shell: Shell) -> None:
    assert "must be forced (use --force)" in shell.xe("vm-reset-powerstate", "vm=vm-1").err


def test_install_clones_the_template_places_its_disks_and_prints_the_new_vms_uuid(shell: Shell) -> None:
    outcome = shell.xe("vm-install", "template=Cardume lab guest", "new-name-label=web")
    assert (outcome.code, outcome.out) == (0, "uuid-web\n"), outcome.err
    disks = '<provision><disk device="0" size="1" sr="uuid-of-local" bootable="true"/></provision>'
    assert shell.pool.done() == [
        ("VM.clone", "OpaqueRef:template", "web"),
        ("VM.set_name_description", "OpaqueRef:web", "Installed via xe CLI"),
        ("VM.remove_from_other_config", "OpaqueRef:web", "disks"),
        ("VM.add_to_other_config", "OpaqueRef:web", "disks", disks),
        ("VM.provision", "OpaqueRef:web"),
    ]


def test_install_on_a_chosen_sr_copies_the_template_there(shell: Shell) -> None:
    outcome = shell.xe("vm-install", "template=uuid-of-template", "new-name-label=web", "sr-name-label=Local storage")
    assert outcome.out == "uuid-web\n"
    assert shell.pool.done()[0] == ("VM.copy", "OpaqueRef:template", "web", "OpaqueRef:local")


def test_an_install_that_fails_half_way_takes_the_new_vm_back(shell: Shell) -> None:
    def fail(vm: str) -> str:
        raise Refusal("SR_FULL", "2", "1")

    shell.pool.answers["VM.provision"] = fail
    outcome = shell.xe("vm-install", "template=Cardume lab guest", "new-name-label=web")
    assert (outcome.code, outcome.err) == (1, "The SR has too little space.\nrequested: 2\nmaximum: 1\n")
    assert "OpaqueRef:web" not in shell.pool.records["VM"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Template must be specified by parameter"),
        (("template=none",), "No templates matched"),
        (("template-uuid=uuid-of-vm-1",), "Can only install from templates"),
        (("template=Cardume lab guest", "sr-name-label=none"), "No SR with that name-label found"),
    ],
)
def test_install_says_what_is_wrong_with_its_parameters(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    assert message in shell.xe("vm-install", "new-name-label=web", *arguments).err
    assert shell.pool.done() == []


def test_clone_and_copy_describe_and_print_the_new_vm(shell: Shell) -> None:
    cloned = shell.xe("vm-clone", "vm=vm-2", "new-name-label=c1", "new-name-description=mine")
    copied = shell.xe("vm-copy", "vm=vm-2", "new-name-label=c2", "sr-uuid=uuid-of-local", "--minimal")
    assert (cloned.line, copied.line) == ("uuid-c1", "uuid-c2")
    assert shell.pool.records["VM"]["OpaqueRef:c1"]["name_description"] == "mine"
    assert shell.pool.done("VM.copy") == [("VM.copy", "OpaqueRef:vm-2", "c2", "OpaqueRef:local")]


def test_uninstall_asks_and_then_destroys_the_vm_with_the_disks_it_owns(shell: Shell) -> None:
    outcome = shell.xe("vm-uninstall", "vm=vm-1", typed="yes\n")
    assert outcome.out == (
        "The following items are about to be destroyed\n"
        "VM : uuid-of-vm-1 (vm-1)\n"
        "VDI: uuid-of-disk (vm-1 disk)\n"
        "Type 'yes' to continue\n"
        "All objects destroyed\n"
    )
    assert shell.pool.done() == [
        ("VM.hard_shutdown", "OpaqueRef:vm-1"),
        ("VM.destroy", "OpaqueRef:vm-1"),
        ("VDI.destroy", "OpaqueRef:disk"),
    ]


def test_uninstall_leaves_everything_when_the_answer_is_not_yes(shell: Shell) -> None:
    outcome = shell.xe("vm-uninstall", "vm=vm-1", typed="y\n")
    assert outcome.code == 1
    assert outcome.out.endswith("Aborted (you typed: 'y')\n")
    assert shell.pool.done() == []


def test_a_disk_without_the_owner_mark_outlives_its_vm(shell: Shell) -> None:
    shell.pool.records["VBD"]["OpaqueRef:drive"]["other_config"] = {}
    shell.xe("vm-uninstall", "vm=vm-1", "--force")
    assert "OpaqueRef:disk" in shell.pool.records["VDI"]


def test_a_control_domain_is_not_destroyed(shell: Shell) -> None:
    assert "You cannot destroy a control domain via the CLI" in shell.xe("vm-destroy", "uuid=uuid-of-dom0").err
    assert shell.pool.done() == []


def test_disks_are_listed_with_what_is_in_them(shell: Shell) -> None:
    assert shell.xe("vm-disk-list", "vm=vm-1").out == (
        "Disk 0 VBD:\n"
        "uuid ( RO)             : uuid-of-drive\n"
        "    vm-name-label ( RO): vm-1\n"
        "       userdevice ( RW): 0\n\n\n"
        "Disk 0 VDI:\n"
        "uuid ( RO)             : uuid-of-disk\n"
        "       name-label ( RW): vm-1 disk\n"
        "    sr-name-label ( RO): Local storage\n"
        "     virtual-size ( RO): 8589934592\n\n\n"
    )
    assert shell.xe("vm-disk-list", "vm=vm-1", "vbd-params=", "--minimal").line == "uuid-of-disk"
    assert shell.xe("vm-disk-list", "vm=vm-1", "--minimal").line == "uuid-of-disk,uuid-of-drive"
    assert shell.xe("vm-cd-list", "vm=vm-1", "--minimal").line == "uuid-of-cd-drive"


def test_an_added_disk_belongs_to_the_vm_and_is_plugged_in_where_it_runs(shell: Shell) -> None:
    shell.pool.answers["VBD.plug"] = lambda vbd: ""
    assert shell.xe("vm-disk-add", "vm=vm-1", "disk-size=2GiB", "device=1").code == 0
    made, drive, plugged = shell.pool.done()
    assert (made[0], made[1]["SR"], made[1]["virtual_size"], made[1]["type"]) == (
        "VDI.create",
        "OpaqueRef:local",
        str(2 * GIB),
        "user",
    )
    assert (drive[0], drive[1]["userdevice"], drive[1]["other_config"]) == ("VBD.create", "1", {"owner": ""})
    assert plugged[0] == "VBD.plug"


def test_an_added_disk_is_taken_back_when_its_drive_is_refused(shell: Shell) -> None:
    def refuse(record: dict[str, Any]) -> str:
        raise Refusal("DEVICE_ALREADY_EXISTS", "0")

    shell.pool.answers["VBD.create"] = refuse
    assert shell.xe("vm-disk-add", "vm=vm-2", "disk-size=2GiB", "device=0").code == 1
    assert [call[0] for call in shell.pool.done()] == ["VDI.create", "VBD.create", "VDI.destroy"]


def test_a_removed_disk_is_destroyed(shell: Shell) -> None:
    assert shell.xe("vm-disk-remove", "vm=vm-1", "device=0").code == 0
    assert shell.pool.done() == [("VBD.destroy", "OpaqueRef:drive"), ("VDI.destroy", "OpaqueRef:disk")]


def test_a_cancelled_command_cancels_its_task(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter([KeyboardInterrupt, {"status": "cancelled", "progress": 1.0, "error_info": ["TASK_CANCELLED", "t"]}])

    def record(task: str) -> Any:
        answer = next(asked)
        if answer is KeyboardInterrupt:
            raise KeyboardInterrupt
        return answer

    shell.pool.answers |= {"task.get_record": record, "task.cancel": lambda task: ""}
    outcome = shell.xe("vm-suspend", "vm=vm-1")
    assert outcome.code == 1
    assert "Cancelling" in outcome.err
    assert "task.cancel" in [call[0] for call in shell.pool.calls]
