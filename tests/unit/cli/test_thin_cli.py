"""Commands for a client of the thin CLI protocol: the real API, the real program, and a client of another hand."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lab.clients import thin_xe
from tests.lab.clients.thin_xe import Done
from tests.unit.messages.fake_host import Client, FakeHost, api, host, sr, vm
from tests.unit.messages.test_disk_images import DATA, disk, fill
from tests.unit.messages.test_xva import content

from cardume.daemons.host_setup import unit_text
from cardume.datamodel.thin_cli import MOST_FILE_BYTES

__all__ = ["api", "disk", "host", "sr", "vm"]


async def xe(host: FakeHost, *words: str, typed: Sequence[str] = (), password: str = "secret") -> Done:
    """What a command does at the client."""
    return await asyncio.wait_for(
        asyncio.to_thread(thin_xe.run, "127.0.0.1", words, "root", password, port=host.port, typed=typed), 120
    )


async def test_a_list_is_printed_as_xenserver_prints_it(host: FakeHost, api: Client, vm: str) -> None:
    uuid = await api("VM.get_uuid", vm)
    done = await xe(host, "vm-list", "name-label=web")
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        f"uuid ( RO)           : {uuid}\n     name-label ( RW): web\n    power-state ( RO): halted\n\n\n"
    )
    assert len(done.prints) == 1, "a record is one frame"
    done = await xe(host, "vm-list", "--minimal", "name-label=web", "params=uuid")
    assert (done.status, done.out) == (0, f"{uuid}\n")


async def test_a_vm_is_cloned_started_and_shut_down(host: FakeHost, api: Client, vm: str) -> None:
    done = await xe(host, "vm-clone", "vm=web", "new-name-label=máquina")
    assert done.status == 0
    clone = await api("VM.get_by_uuid", done.out.strip())
    assert await api("VM.get_name_label", clone) == "máquina"
    assert await xe(host, "vm-start", "vm=máquina") == Done(0)
    assert await api("VM.get_power_state", clone) == "Running"
    assert await xe(host, "vm-shutdown", "vm=máquina", "--force") == Done(0)
    assert await api("VM.get_power_state", clone) == "Halted"


async def test_what_goes_wrong_is_told_where_failures_are_printed(host: FakeHost, api: Client, vm: str) -> None:
    uuid = await api("VM.get_uuid", vm)
    for words, err in (
        (("vm-fly",), "Unknown command: vm-fly\nFor usage run: 'xe help'\n"),
        (("vm-param-list",), "Required parameter not found: uuid\nFor usage run: 'xe help'\n"),
        (("vm-list", "-x"), "Syntax error: unknown switch -x\nFor usage run: 'xe help'\n"),
        (
            ("vm-param-get", f"uuid={uuid}", "param-name=platform", "param-key=none"),
            "Error: Key none not found in map\n",
        ),
        (("vm-param-list", "uuid=none"), "No object of this class has this uuid.\ntype: VM\nuuid: none\n"),
    ):
        assert await xe(host, *words) == Done(1, err=err), words
    assert await xe(host, "vm-list", password="wrong") == Done(1, err="Authentication failed\n")


async def test_help_lists_the_commands(host: FakeHost) -> None:
    done = await xe(host, "help", "vm-start")
    assert done.status == 0
    assert "command name" in done.out
    assert (await xe(host, "help", "--all", "--minimal")).out.count(",") > 500


async def test_a_person_is_asked_before_something_is_lost(host: FakeHost, api: Client, vm: str) -> None:
    uuid = await api("VM.get_uuid", vm)
    done = await xe(host, "vm-uninstall", f"uuid={uuid}", typed=["no"])
    assert (done.status, done.prints[-1]) == (1, "Aborted (you typed: 'no')")
    assert await api("VM.get_uuid", vm) == uuid
    done = await xe(host, "vm-uninstall", f"uuid={uuid}", typed=["yes"])
    assert (done.status, done.prints[-1]) == (0, "All objects destroyed")


async def test_files_are_the_client_s_and_never_the_server_s(host: FakeHost, api: Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    secret.chmod(0o600)  # of another user than the program at the server
    done = await xe(host, "secret-create", f"value-file={secret}")
    assert done.status == 0
    assert await api("secret.get_value", await api("secret.get_by_uuid", done.out.strip())) == "hush"

    done = await xe(host, "secret-create", f"value-file={tmp_path}/none")
    assert done == Done(1, err=f"Error: The file {tmp_path}/none cannot be read.\n")


async def test_a_file_that_is_too_large_is_named_and_the_client_hears_of_it(
    host: FakeHost, api: Client, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * (MOST_FILE_BYTES + 1))
    done = await xe(host, "secret-create", f"value-file={large}")
    assert done == Done(1, err=f"Error: The file {large} is too large: this server reads files up to 4 MiB.\n")
    assert await api("secret.get_all") == []


async def test_a_vm_goes_to_a_file_of_the_client_and_comes_back(
    host: FakeHost, api: Client, vm: str, sr: str, tmp_path: Path
) -> None:
    file = tmp_path / "web.xva"
    assert await xe(host, "vm-export", "vm=web", f"filename={file}") == Done(0)
    assert b"ova.xml" in file.read_bytes()[:512]
    done = await xe(host, "vm-import", f"filename={file}", f"sr-uuid={await api('SR.get_uuid', sr)}")
    assert (done.status, done.err) == (0, "")
    assert await api("VM.get_name_label", await api("VM.get_by_uuid", done.out.strip())) == "web"

    before = file.read_bytes()
    done = await xe(host, "vm-export", "vm=web", f"filename={file}")
    assert done.status == 1, "the file is there already"
    assert file.read_bytes() == before
    tasks = await api("task.get_all_records")
    assert [task["name_label"] for task in tasks.values() if task["name_label"] == "xe /export"] == []


async def test_a_disk_goes_out_and_in(host: FakeHost, api: Client, disk: str, tmp_path: Path) -> None:
    fill(host, disk, DATA)
    uuid, file = await api("VDI.get_uuid", disk), tmp_path / "disk"
    assert await xe(host, "vdi-export", f"uuid={uuid}", f"filename={file}") == Done(0)
    assert file.read_bytes().rstrip(b"\0") == DATA
    file.write_bytes(b"other" + file.read_bytes()[5:])
    assert await xe(host, "vdi-import", f"uuid={uuid}", f"filename={file}") == Done(0)
    assert content(host, disk)[:5] == b"other"


async def test_a_transfer_s_refusal_is_told_by_its_reason(host: FakeHost, api: Client, vm: str, tmp_path: Path) -> None:
    await api("VM.start", vm, False, False)
    done = await xe(host, "vm-export", "vm=web", f"filename={tmp_path}/web.xva")
    assert done.status == 1
    assert "power state" in done.err


async def test_what_needs_the_host_s_own_terminal_is_refused(host: FakeHost, vm: str) -> None:
    for words in (
        ("completion", "shell=bash"),
        ("server-forget",),
        ("pool-emergency-transition-to-master", "--force"),
        ("vm-migrate", "vm=web", "remote-master=10.0.0.1"),
    ):
        done = await xe(host, *words)
        assert (done.status, done.out) == (1, ""), words
        assert done.err.endswith("is for Cardume's own xe.\n"), words


def test_when_memory_lacks_the_program_goes_and_the_daemon_stays() -> None:
    code = "from cardume.cli import thin; thin._give_up_rights(); print(thin.OOM_SCORE.read_text())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["1000"]
    assert "OOMPolicy=continue" in unit_text(Path("/usr/bin/cardumed")).splitlines()


async def test_settings_of_a_server_and_files_with_passwords_mean_nothing_here(
    host: FakeHost, api: Client, vm: str
) -> None:
    done = await xe(
        host, "vm-list", "--minimal", "name-label=web", "server=10.0.0.1", "passwordfile=/etc/shadow", "--progress"
    )
    assert done == Done(0, f"{await api('VM.get_uuid', vm)}\n", prints=[await api("VM.get_uuid", vm)])
