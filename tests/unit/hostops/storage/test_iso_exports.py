"""The command of an ISO daemon, and who is connected to it."""

import json

from cardume.hostops.storage.iso_exports import IsoExports, count_connections, start_command
from cardume.hostops.storage.nfs import NfsFolder

SOCKET = "/run/cardume/nbd/x.sock"
TABLE = f"""\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 17000 {SOCKET}
0000000000000000: 00000003 00000000 00000000 0001 03 17001 {SOCKET}
0000000000000000: 00000003 00000000 00000000 0001 03 17002
0000000000000000: 00000003 00000000 00000000 0001 03 17003 {SOCKET}.other
0000000000000000: 00000003 00000000 00000000 0001 03 17004 {SOCKET}
"""


def test_connected_clients_are_counted_and_the_listener_is_not_one() -> None:
    assert count_connections(TABLE, SOCKET) == 2
    assert count_connections(TABLE, "/run/cardume/nbd/y.sock") == 0


def test_a_daemon_opens_its_file_read_only_under_the_right_name() -> None:
    command = start_command("u.service", SOCKET, NfsFolder("nas", "/mnt/iso"), "a,b $HOME 5%.iso", 20)
    image, server, export = (
        command[command.index(option) + 1] for option in ("--blockdev", "--nbd-server", "--export")
    )
    assert "$" not in image + server + export
    assert "%" not in image + server + export
    assert json.loads(image) == {
        "driver": "raw",
        "node-name": "image",
        "read-only": True,
        "file": {
            "driver": "nfs",
            "server": {"type": "inet", "host": "nas"},
            "path": "/mnt/iso/a,b $HOME 5%.iso",
        },
    }
    assert json.loads(export)["writable"] is False


def test_every_file_has_one_daemon_and_no_two_share_one() -> None:
    exports = IsoExports("/nowhere")
    keys = {
        exports.key(owner, NfsFolder(server, "/iso"), name)
        for owner in ("sr1", "sr2")
        for server in ("a", "b")
        for name in ("x.iso", "y.iso")
    }
    assert len(keys) == 8
    assert exports.key("sr1", NfsFolder("a", "/iso"), "x.iso") in keys
