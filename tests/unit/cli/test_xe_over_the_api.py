"""`xe` as a program of its own against the real API: over TLS, and over the socket of the host's daemon."""

import asyncio
import os
import signal
import ssl
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.unit.api.served_api import Api
from tests.unit.api.served_api import served as served_api

from cardume.api.tls import HostFiles, ensure_certificate, make_certificate, renew_if_due
from cardume.cli.arguments import Settings
from cardume.cli.server import connect
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages.call import Call
from cardume.messages.registry import IMPLEMENTATIONS, Implementation

PASSWORD = "root-pw"


@dataclass(frozen=True)
class Served:
    """The real API, and the program run against it."""

    api: Api
    state: Path  # where the program remembers certificates

    async def xe(self, *arguments: str, password: str = PASSWORD) -> tuple[int | None, str, str]:
        """Run the program; its exit status and what it printed."""
        process = await self.begin(*arguments, password=password)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, out.decode(), err.decode()

    async def begin(self, *arguments: str, password: str = PASSWORD) -> asyncio.subprocess.Process:
        """Start the program."""
        # The password goes the way that process listings do not show.
        extra = f"server=127.0.0.1,port={self.api.server.port},username=root,password={password}"
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cardume.cli.xe",
            *arguments,
            env={**os.environ, "XE_EXTRA_ARGS": extra, "HOME": "/nowhere", "XDG_STATE_HOME": str(self.state)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # A test run in the background was told to ignore Ctrl-C; a program at a terminal is not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    @property
    def vm(self) -> VM:
        """The pool's one VM as it is now."""
        return self.api.db.get(self.api.vm)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_api(tmp_path) as api:
        await api.db.update(api.vm, name_label="máquina", power_state=VMPowerState.RUNNING, resident_on=api.host)
        yield Served(api, tmp_path / "state")


async def test_a_list_over_tls_has_xenservers_form(served: Served) -> None:
    uuid = served.vm.uuid
    assert await served.xe("vm-list") == (
        0,
        f"uuid ( RO)           : {uuid}\n     name-label ( RW): máquina\n    power-state ( RO): running\n\n\n",
        "",
    )


async def test_fields_are_set_and_read_back(served: Served) -> None:
    uuid = f"uuid={served.vm.uuid}"
    assert await served.xe("vm-param-set", uuid, "name-description=a, b", "HVM-boot-params:order=cd") == (0, "", "")
    assert await served.xe("vm-param-add", uuid, "param-name=tags", "param-key=lab") == (0, "", "")
    record = served.vm
    assert (record.name_description, dict(record.HVM_boot_params), record.tags) == ("a, b", {"order": "cd"}, ("lab",))
    assert await served.xe("vm-list", "tags:contains=lab", "params=resident-on", "--minimal") == (
        0,
        f"{served.api.db.get(served.api.host).uuid}\n",
        "",
    )


async def test_a_wrong_password_and_an_unknown_uuid_end_with_1_and_a_sentence(served: Served) -> None:
    assert await served.xe("vm-list", password="wrong") == (
        1,
        "",
        "Authentication failed\nFor usage run: 'xe help'\n",
    )
    assert await served.xe("vm-param-list", "uuid=none") == (
        1,
        "",
        "No object of this class has this uuid.\ntype: VM\nuuid: none\n",
    )


async def test_a_server_is_known_again_by_the_key_of_its_first_use(served: Served, tmp_path: Path) -> None:
    port, known = served.api.server.port, served.state / "cardume" / "known-servers"
    assert (await served.xe("vm-list", "--minimal"))[0] == 0
    assert known.read_text() == f"127.0.0.1:{port} {sha256(public_key(tmp_path / 'host.pem')).hexdigest()}\n"
    assert stat.S_IMODE(known.stat().st_mode) == 0o600
    assert (await served.xe("vm-list", "--minimal"))[0] == 0
    assert len(known.read_text().splitlines()) == 1


async def test_a_host_that_renews_its_certificate_is_the_same_and_one_that_resets_it_is_another(
    served: Served, tmp_path: Path
) -> None:
    files = HostFiles(tmp_path / "host.pem", tmp_path / "host.key")
    first = await shown_by(served)
    assert (await served.xe("vm-list", "--minimal"))[0] == 0

    assert renew_if_due(files, names=["new-name"], addresses=["127.0.0.1"])
    served.api.tls.load_cert_chain(files.certificate, files.key)
    renewed = await shown_by(served)
    assert renewed != first
    assert await served.xe("vm-list", "--minimal") == (0, f"{served.vm.uuid}\n", "")

    make_certificate(files, ["new-name"], ["127.0.0.1"])
    served.api.tls.load_cert_chain(files.certificate, files.key)
    assert await shown_by(served) != renewed
    code, out, err = await served.xe("vm-list", "--minimal")
    assert (code, out) == (1, "")
    assert "shows another certificate than before, and nothing was sent to it." in err


async def test_a_server_with_another_certificate_gets_no_password_until_the_old_one_is_forgotten(
    served: Served,
) -> None:
    port, known = served.api.server.port, served.state / "cardume" / "known-servers"
    known.parent.mkdir(parents=True)
    known.write_text(f"127.0.0.1:{port} {'0' * 64}\n10.0.0.2:443 {'1' * 64}\n")

    code, out, err = await served.xe("vm-list")

    assert (code, out) == (1, "")
    assert err.startswith(f"Error: 127.0.0.1:{port} shows another certificate than before, and nothing was sent to it.")
    assert err.endswith(f"If the change was meant, forget the old one: xe server-forget -s 127.0.0.1 -p {port}\n")
    assert (await served.xe("vm-list", "--no-verify"))[0] == 0
    assert await served.xe("server-forget") == (0, "", "")
    assert known.read_text() == f"10.0.0.2:443 {'1' * 64}\n"
    assert (await served.xe("vm-list"))[0] == 0
    assert await served.xe("server-forget", "-s", "10.0.0.3") == (
        1,
        "",
        f"Error: No certificate of 10.0.0.3:{port} is known\n",
    )


async def shown_by(served: Served) -> bytes:
    """The certificate that a new connection is shown."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", served.api.server.port, ssl=tls)
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


def public_key(path: Path) -> bytes:
    """The key that a certificate's file holds, in DER."""
    key = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


async def test_a_certificate_may_be_checked_by_its_authority_instead(served: Served, tmp_path: Path) -> None:
    other = HostFiles(tmp_path / "other.pem", tmp_path / "other.key")
    ensure_certificate(other, names=["d1-g1"], addresses=["127.0.0.1"])

    assert (await served.xe("vm-list", f"--ca-file={tmp_path}/host.pem", "--minimal"))[0] == 0
    code, _, err = await served.xe("vm-list", f"--ca-file={other.certificate}")
    assert code == 1
    assert "its certificate is not to be trusted" in err
    code, _, err = await served.xe("vm-list", f"--ca-file={tmp_path}/none.pem")
    assert (code, err) == (
        1,
        f"Error: The certificates in {tmp_path}/none.pem cannot be read: No such file or directory.\n",
    )
    assert not (served.state / "cardume").exists()


async def test_a_program_that_can_remember_nothing_goes_on_and_says_so(served: Served) -> None:
    served.state.write_text("no folder")

    code, out, err = await served.xe("vm-list", "--minimal")

    assert (code, out) == (0, f"{served.vm.uuid}\n")
    assert err.startswith(f"Warning: the certificate of 127.0.0.1:{served.api.server.port} cannot be remembered in ")


async def test_values_are_completed_by_asking_the_server(served: Served) -> None:
    assert await served.xe("complete", "line=xe vm-start uuid=") == (0, f"uuid={served.vm.uuid}\n", "")
    assert await served.xe("complete", "line=xe vm-start vm=m") == (0, "vm=máquina\n", "")
    assert await served.xe("complete", "line=xe vm-start vm=m", password="wrong") == (0, "", "")


async def test_a_file_is_refused_by_a_server_that_has_no_such_handler(served: Served, tmp_path: Path) -> None:
    code, out, err = await served.xe("vm-export", "vm=máquina", f"filename={tmp_path}/vm.xva")

    assert (code, out) == (1, "")
    assert err.startswith("Error: The server refused /export: 501 ") or "not implemented" in err
    assert not (tmp_path / "vm.xva").exists()


async def test_root_needs_no_password_at_the_socket_of_its_host(served: Served) -> None:
    def names() -> list[str]:
        server = connect(Settings(), served.api.socket)
        server.login("root", "")
        records = server.call("VM.get_all_records")
        server.logout()
        return [record["name_label"] for record in records.values()]

    assert await asyncio.wait_for(asyncio.to_thread(names), 30) == ["máquina"]


async def test_waiting_for_an_event_ends_once_the_vm_has_changed(served: Served) -> None:
    waiting = asyncio.create_task(served.xe("event-wait", "class=vm", "name-label=renamed"))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await served.api.db.update(served.api.vm, name_label="renamed")
    assert await asyncio.wait_for(waiting, 30) == (0, "", "")


async def test_ctrl_c_cancels_the_work_and_waits_for_its_end(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def suspend(call: Call, vm: Ref[VM]) -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    monkeypatch.setitem(IMPLEMENTATIONS, "VM.suspend", Implementation(suspend, as_task=True))
    process = await served.begin("vm-suspend", "vm=máquina")
    await asyncio.wait_for(began.wait(), 30)
    await asyncio.sleep(2)  # let the program begin to watch the task
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert ended.is_set()
    assert process.returncode == 1
    assert "Cancelling" in err.decode()
    assert "The task was cancelled." in err.decode()
