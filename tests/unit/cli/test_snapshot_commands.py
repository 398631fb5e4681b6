"""Commands about snapshots: which messages they send, what they print, what they refuse."""

from typing import Any

import pytest
from tests.unit.cli.pool_at_hand import NULL, PoolAtHand, Shell, small_pool

VM, SNAPSHOT, DISK = "OpaqueRef:vm-1", "OpaqueRef:before", "OpaqueRef:disk"


def add_snapshot(pool: PoolAtHand) -> str:
    """A snapshot of the VM that runs, with a disk of its own."""
    disk = pool.add("VDI", "kept", name_label="vm-1 disk", SR="OpaqueRef:local", is_a_snapshot=True, managed=True)
    snapshot = pool.add(
        "VM",
        "before",
        name_label="before",
        is_a_template=True,
        is_a_snapshot=True,
        snapshot_of=VM,
        snapshot_time="20260102T03:04:05Z",
        power_state="Halted",
    )
    drive = pool.add(
        *("VBD", "kept-drive"),
        VM=snapshot,
        VDI=disk,
        userdevice="0",
        type="Disk",
        mode="RW",
        other_config={"owner": ""},
    )
    pool.records["VM"][snapshot]["VBDs"] = [drive]
    pool.records["VDI"][disk]["VBDs"] = [drive]
    pool.records["VM"][VM]["snapshots"] = [snapshot]
    return snapshot


@pytest.fixture
def shell() -> Shell:
    shell = Shell(small_pool())
    add_snapshot(shell.pool)
    made = iter(range(10))

    def make_vm(*_: Any) -> str:
        return shell.pool.add("VM", f"made-{next(made)}", is_a_template=True)

    for message in ("snapshot", "checkpoint", "clone", "copy"):
        shell.pool.answers[f"VM.{message}"] = make_vm
    shell.pool.answers["VM.revert"] = lambda *_: ""
    shell.pool.answers["VDI.snapshot"] = lambda *_: shell.pool.add("VDI", "new-disk", is_a_snapshot=True)
    return shell


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("vm-snapshot", "vm=vm-1", "new-name-label=now"), ("VM.snapshot", VM, "now", [])),
        (
            ("vm-snapshot", "uuid=uuid-of-vm-1", "new-name-label=now", "ignore-vdi-uuids=uuid-of-disk,uuid-of-cd"),
            ("VM.snapshot", VM, "now", [DISK, "OpaqueRef:cd"]),
        ),
        (("vm-checkpoint", "vm=vm-1", "new-name-label=now", "--progress"), ("VM.checkpoint", VM, "now")),
        (("snapshot-clone", "uuid=uuid-of-before", "new-name-label=t"), ("VM.clone", SNAPSHOT, "t")),
        (("snapshot-copy", "uuid=uuid-of-before", "new-name-label=t"), ("VM.copy", SNAPSHOT, "t", NULL)),
        (
            ("snapshot-copy", "uuid=uuid-of-before", "new-name-label=t", "sr-uuid=uuid-of-local"),
            ("VM.copy", SNAPSHOT, "t", "OpaqueRef:local"),
        ),
    ],
)
def test_what_makes_a_vm_sends_its_message_and_prints_the_new_uuid(
    shell: Shell, arguments: tuple[str, ...], call: tuple[Any, ...]
) -> None:
    outcome = shell.xe(*arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1] == "uuid-of-made-0"
    assert shell.pool.done() == [call]


@pytest.mark.parametrize(
    ("command", "messages"),
    [
        (("vm-snapshot", "vm=vm-1"), ["VM.snapshot"]),
        (("vm-checkpoint", "vm=vm-1"), ["VM.checkpoint"]),
        (("snapshot-clone", "uuid=uuid-of-before"), ["VM.clone"]),
        (("snapshot-copy", "uuid=uuid-of-before"), ["VM.copy"]),
    ],
)
def test_a_description_is_given_to_what_was_made(shell: Shell, command: tuple[str, ...], messages: list[str]) -> None:
    outcome = shell.xe(*command, "new-name-label=n", "new-name-description=the day before")
    assert (outcome.code, outcome.line) == (0, "uuid-of-made-0"), outcome.err
    assert [call[0] for call in shell.pool.done()] == [*messages, "VM.set_name_description"]
    assert shell.pool.records["VM"]["OpaqueRef:made-0"]["name_description"] == "the day before"


@pytest.mark.parametrize("name", ["uuid", "snapshot-uuid"])
def test_a_vm_is_reverted_by_its_snapshot_under_either_name(shell: Shell, name: str) -> None:
    outcome = shell.xe("snapshot-revert", f"{name}=uuid-of-before")
    assert (outcome.code, outcome.out) == (0, ""), outcome.err
    assert shell.pool.done() == [("VM.revert", SNAPSHOT)]


@pytest.mark.parametrize(
    "command",
    ["snapshot-revert", "snapshot-destroy", "snapshot-uninstall", "snapshot-disk-list"],
)
def test_what_is_no_snapshot_is_refused_before_anything_is_sent(shell: Shell, command: str) -> None:
    for uuid, words in (("uuid-of-vm-1", "is no snapshot"), ("uuid-of-template", "is no snapshot"), ("none", "none")):
        outcome = shell.xe(command, f"uuid={uuid}", *(["force=true"] if command == "snapshot-uninstall" else []))
        assert (outcome.code, outcome.out) == (1, ""), uuid
        assert words in outcome.err
    assert shell.pool.done() == []


def test_a_destroyed_snapshot_leaves_its_disks_and_an_uninstalled_one_does_not(shell: Shell) -> None:
    assert shell.xe("snapshot-destroy", "uuid=uuid-of-before").code == 0
    assert shell.pool.done() == [("VM.destroy", SNAPSHOT)]
    add_snapshot(shell.pool)
    shell.pool.calls.clear()
    outcome = shell.xe("snapshot-uninstall", "uuid=uuid-of-before", "--force")
    assert outcome.code == 0, outcome.err
    assert ("VDI.destroy", "OpaqueRef:kept") in shell.pool.done()
    assert ("VM.destroy", SNAPSHOT) in shell.pool.done()
    assert ("VDI.destroy", DISK) not in shell.pool.done()


def test_uninstalling_asks_first(shell: Shell) -> None:
    outcome = shell.xe("snapshot-uninstall", "uuid=uuid-of-before", typed="no\n")
    assert outcome.code != 0
    assert "before" in outcome.out
    assert shell.pool.done() == []


def test_the_disks_of_a_snapshot_are_listed_with_their_drives(shell: Shell) -> None:
    outcome = shell.xe("snapshot-disk-list", "uuid=uuid-of-before", "--minimal")
    assert (outcome.code, outcome.line) == (0, "uuid-of-kept,uuid-of-kept-drive"), outcome.err


def test_snapshots_are_listed_by_their_vm(shell: Shell) -> None:
    outcome = shell.xe("snapshot-list", "snapshot-of=uuid-of-vm-1", "--minimal")
    assert (outcome.code, outcome.line) == (0, "uuid-of-before"), outcome.err
    assert shell.xe("vm-list", "--minimal").line.split(",").count("uuid-of-before") == 0


def test_a_disk_is_snapshotted_and_named(shell: Shell) -> None:
    outcome = shell.xe("vdi-snapshot", "uuid=uuid-of-disk", "driver-params:speed=fast", "new-name-label=kept disk")
    assert (outcome.code, outcome.line) == (0, "uuid-of-new-disk"), outcome.err
    assert shell.pool.done() == [
        ("VDI.snapshot", DISK, {"speed": "fast"}),
        ("VDI.set_name_label", "OpaqueRef:new-disk", "kept disk"),
    ]
