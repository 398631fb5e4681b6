"""Commands that send one message each: what they send, and that each fits the message that XenAPI has."""

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.pool_at_hand import PoolAtHand, Refusal, Shell, small_pool

from cardume.cli.commands import TABLES
from cardume.cli.direct import Direct
from cardume.cli.server import CALL_TIMEOUT_S
from cardume.messages.host_wake import BOOT_TIMEOUT_S

FACTS_FILE = Path(__file__).parents[2] / "schema" / "xenapi-2.23.json"
ROWS: tuple[Direct, ...] = tuple(
    row for table in TABLES for row in importlib.import_module(f"cardume.cli.{table}").ROWS
)


@cache
def facts() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FACTS_FILE.read_text())
    return loaded


@pytest.fixture
def pool() -> PoolAtHand:
    pool = small_pool()
    pool.answers["VTPM.create"] = lambda *given: pool.add("VTPM", "chip")
    for done in ("PIF.plug", "host.evacuate", "pool.join", "VIF.configure_ipv4", "PIF.unplug"):
        pool.answers[done] = lambda *given: ""
    return pool


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_gives_its_message_what_it_takes(row: Direct) -> None:
    cls, _, name = row.message.partition(".")
    (message,) = [one for one in facts()["classes"][cls]["messages"] if one["n"] == name]
    command = row.command()
    if name == "create" and message.get("implicit"):
        fields = {field["n"].lower().replace("_", "-") for field in facts()["classes"][cls]["fields"]}
        words = [word.rstrip("?:").partition("=")[0] for word in row.words.split()]
        named = [word.partition(">")[2] or word for word in words]
        assert [word for word in named if word not in fields and word.removesuffix("-uuid") not in fields] == []
    else:
        assert len(row.words.split()) == len(message["p"])
    assert message.get("async", True) or not row.long
    assert command.doc.endswith(".")


def test_a_host_that_is_switched_on_is_waited_for_as_a_task() -> None:
    assert BOOT_TIMEOUT_S > CALL_TIMEOUT_S, "one request would be given up before the host is"
    assert [row.long for row in ROWS if row.message == "host.power_on"] == [True]


def test_no_command_is_in_two_tables() -> None:
    names = [row.name for row in ROWS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("pif-plug", "uuid=uuid-of-eth0"), ("PIF.plug", "OpaqueRef:eth0")),
        (("vtpm-create", "vm-uuid=uuid-of-vm-2"), ("VTPM.create", "OpaqueRef:vm-2", False)),
        (
            ("host-evacuate", "host=d1-g1", "network-uuid=uuid-of-lan"),
            ("host.evacuate", "OpaqueRef:host", "OpaqueRef:lan", "0"),
        ),
        (("host-evacuate", "uuid=uuid-of-host"), ("host.evacuate", "OpaqueRef:host", "OpaqueRef:NULL", "0")),
        (
            ("vif-configure-ipv4", "uuid=uuid-of-card", "mode=static", "address=10.0.0.5/24"),
            ("VIF.configure_ipv4", "OpaqueRef:card", "Static", "10.0.0.5/24", ""),
        ),
    ],
    ids=lambda value: value[0],
)
def test_a_command_sends_its_message(pool: PoolAtHand, arguments: tuple[str, ...], call: tuple[Any, ...]) -> None:
    outcome = Shell(pool).xe(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert pool.done() == [call]


def test_an_object_that_was_made_is_told_by_its_uuid(pool: PoolAtHand) -> None:
    assert Shell(pool).xe("vtpm-create", "vm-uuid=uuid-of-vm-2").line == "uuid-of-chip"


def test_a_constructor_is_given_its_whole_record(pool: PoolAtHand) -> None:
    outcome = Shell(pool).xe(
        "vmss-create", "name-label=nightly", "frequency=daily", "type=snapshot", "schedule:hour=3", "schedule:min=15"
    )
    assert outcome.code == 0
    assert pool.done("VMSS.create") == [
        (
            "VMSS.create",
            {
                "name_label": "nightly",
                "name_description": "",
                "enabled": True,
                "frequency": "daily",
                "retained_snapshots": "7",
                "schedule": {"hour": "3", "min": "15"},
                "type": "snapshot",
            },
        )
    ]


def test_what_the_server_has_not_got_yet_is_its_own_refusal(pool: PoolAtHand) -> None:
    def refuse(*given: Any) -> Any:
        raise Refusal("NOT_IMPLEMENTED", "PUSB.scan")

    pool.answers["PUSB.scan"] = refuse
    outcome = Shell(pool).xe("pusb-scan", "host-uuid=uuid-of-host")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "This message is declared and not implemented yet.\nfunction: PUSB.scan\n"


def test_a_missing_parameter_is_named_before_anybody_is_asked(pool: PoolAtHand) -> None:
    outcome = Shell(pool).xe("pif-scan")
    assert outcome.err == "Required parameter not found: host-uuid\nFor usage run: 'xe help'\n"
    assert pool.calls == []


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_secrets_may_be_given_in_files(pool: PoolAtHand, tmp_path: Path, end: str) -> None:
    (tmp_path / "old").write_bytes(f"first pw{end}".encode())
    (tmp_path / "new").write_bytes(f"second pw{end}".encode())
    pool.answers["session.change_password"] = lambda *given: ""
    shell = Shell(pool)
    for arguments in (
        ("user-password-change", f"old-file={tmp_path}/old", f"new-file={tmp_path}/new"),
        ("secret-create", f"value-file={tmp_path}/new"),
        ("pool-join", "master-address=10.0.0.9", "master-username=root", f"master-password-file={tmp_path}/old"),
    ):
        assert shell.xe(*arguments).code == 0, arguments
    assert pool.done("session.change_password") == [("session.change_password", "first pw", "second pw")]
    assert [call[1]["value"] for call in pool.done("secret.create")] == ["second pw"]
    assert pool.done("pool.join") == [("pool.join", "10.0.0.9", "root", "first pw")]


def test_a_secret_is_given_once_and_its_file_can_be_read(pool: PoolAtHand, tmp_path: Path) -> None:
    shell = Shell(pool)
    assert shell.xe("secret-create", "value=x", "value-file=y").err == (
        "Error: Parameters value and value-file cannot be used together\n"
    )
    assert shell.xe("secret-create", f"value-file={tmp_path}/none").err == (
        f"Error: The file {tmp_path}/none cannot be read: No such file or directory.\n"
    )
    assert shell.xe("secret-create").err.startswith("Required parameter not found: value\n")
    assert pool.done() == []


def test_a_host_leaves_the_pool_only_after_a_yes(pool: PoolAtHand) -> None:
    pool.answers["pool.eject"] = lambda *given: ""
    shell = Shell(pool)
    assert shell.xe("pool-eject", "host-uuid=uuid-of-host", typed="no\n").code == 1
    assert pool.done("pool.eject") == []
    assert shell.xe("pool-eject", "host-uuid=uuid-of-host", "--force").code == 0
    assert pool.done("pool.eject") == [("pool.eject", "OpaqueRef:host")]


def test_a_vm_moves_within_its_pool_by_the_hosts_uuid_or_name(pool: PoolAtHand) -> None:
    pool.answers["VM.pool_migrate"] = lambda *given: ""
    shell = Shell(pool)
    assert shell.xe("vm-migrate", "vm=vm-1", "host-uuid=uuid-of-host", "live=true").code == 0
    assert shell.xe("vm-migrate", "uuid=uuid-of-vm-1", "host=d1-g1").code == 0
    assert pool.done("VM.pool_migrate") == [
        ("VM.pool_migrate", "OpaqueRef:vm-1", "OpaqueRef:host", {"live": "true"}),
        ("VM.pool_migrate", "OpaqueRef:vm-1", "OpaqueRef:host", {}),
    ]


def test_a_vm_whose_disks_move_is_sent_to_the_address_that_the_host_gives(pool: PoolAtHand) -> None:
    pool.records["PIF"]["OpaqueRef:eth0"]["management"] = True
    pool.answers["host.migrate_receive"] = lambda *given: {"host": "OpaqueRef:host"}
    pool.answers["VM.migrate_send"] = lambda *given: "OpaqueRef:vm-1"
    outcome = Shell(pool).xe("vm-migrate", "vm=vm-1", "host=d1-g1", "vdi:uuid-of-disk=uuid-of-isos", "copy=true")
    assert (outcome.code, outcome.err) == (0, "")
    assert pool.done() == [
        ("host.migrate_receive", "OpaqueRef:host", "OpaqueRef:lan", {}),
        (
            "VM.migrate_send",
            "OpaqueRef:vm-1",
            {"host": "OpaqueRef:host"},
            True,
            {"OpaqueRef:disk": "OpaqueRef:isos"},
            {},
            {"copy": "true"},
            {},
        ),
    ]


def test_a_snapshot_is_made_listed_and_gone_back_to(pool: PoolAtHand) -> None:
    snapshot = {"name_label": "before", "is_a_snapshot": True, "is_a_template": True, "VBDs": ["OpaqueRef:drive"]}
    pool.answers["VM.snapshot"] = lambda vm, name, ignored: pool.add("VM", "snap", **snapshot)
    pool.answers["VM.revert"] = lambda *given: ""
    shell = Shell(pool)
    made = shell.xe("vm-snapshot", "vm=vm-1", "new-name-label=before", "ignore-vdi-uuids=uuid-of-cd")
    assert made.line == "uuid-of-snap"
    assert shell.xe("snapshot-list", "--minimal").line == "uuid-of-snap"
    assert shell.xe("snapshot-disk-list", "uuid=uuid-of-snap", "--minimal").line == "uuid-of-disk,uuid-of-drive"
    assert shell.xe("snapshot-revert", "uuid=uuid-of-snap").code == 0
    assert shell.xe("snapshot-revert", "uuid=uuid-of-vm-1").err == "Error: uuid-of-vm-1 is no snapshot\n"
    assert pool.done("VM.snapshot", "VM.revert") == [
        ("VM.snapshot", "OpaqueRef:vm-1", "before", ["OpaqueRef:cd"]),
        ("VM.revert", "OpaqueRef:snap"),
    ]
