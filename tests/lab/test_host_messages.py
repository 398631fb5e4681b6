"""What is done with a real host over XenAPI: its daemon, its certificate, blobs and plug-ins.

Needs the lab's starting point. Proves: a daemon that was told to restart answered before, comes back, and guests ran on
meanwhile; a certificate that was installed over the API is what TLS shows, also after a restart of the daemon; the
bytes of a blob come back over HTTP; plug-ins tell of the host's real disks.
"""

import hashlib
import http.client
import json
import re
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.lab.test_xe import run_xe
from tests.unit.core.certificate_maker import certificate, pem, rsa_key

from cardume.lab.api import PASSWORD, UNREACHABLE, USER, session
from cardume.lab.handle import LabHandle
from cardume.lab.starting_point import forget_certificate

BACK_S = 240.0


def test_a_restarted_daemon_comes_back_while_guests_run_on(lab: LabHandle, api: Any) -> None:
    (member,) = api.host.get_all()
    (vm,) = api.VM.get_by_name_label("vm-d1-g1")
    if api.VM.get_power_state(vm) != "Running":
        api.VM.start(vm, False, False)
    guests = lab.exec("d1-g1", "virsh", "list", "--all")
    before = daemon_pid(lab)

    api.host.restart_agent(member)

    with session_again(lab, before) as again:
        assert daemon_pid(lab) != before
        running = [vm for vm in again.VM.get_all_records().values() if vm["power_state"] == "Running"]
        assert any(not vm["is_control_domain"] for vm in running)
    assert lab.exec("d1-g1", "virsh", "list", "--all") == guests


@pytest.fixture
def trusted_again(lab: LabHandle) -> Iterator[None]:
    """Whatever certificate the host shows afterwards, `xe` takes it, as an administrator tells it to."""
    yield
    forget_certificate(lab.address("d1-g1"))
    assert run_xe(lab, "server-forget").returncode == 0  # the tests' own xe


def test_an_installed_certificate_is_what_tls_shows_also_after_a_restart(
    lab: LabHandle, api: Any, trusted_again: None
) -> None:
    (member,) = api.host.get_all()
    own = shown(lab)
    assert run_xe(lab, "host-list").returncode == 0  # from now on the tests' own xe knows this certificate
    key, now = rsa_key(), datetime.now(UTC)
    text = certificate(key, "d1-g1", since=now - timedelta(days=1), until=now + timedelta(days=9))

    api.host.install_server_certificate(member, text, pem(key), "")

    installed = hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()
    assert shown(lab) == installed != own
    (recorded,) = api.host.get_certificates(member)
    assert api.Certificate.get_fingerprint_sha256(recorded).replace(":", "").lower() == installed

    before = daemon_pid(lab)
    api.host.restart_agent(member)
    with session_again(lab, before) as again:
        assert shown(lab) == installed
        again.host.reset_server_certificate(member)
    assert shown(lab) not in (installed, own)


def test_the_bytes_of_a_blob_come_back_over_http(lab: LabHandle, api: Any) -> None:
    (pool,) = api.pool.get_all()
    before = blob_files(lab)
    blob = api.pool.create_new_blob(pool, f"note-{time.time_ns()}", "text/plain", False)
    try:
        sent = b"\x00\xff" * 100_000
        assert transfer(lab, "PUT", blob, sent) == (200, b"")
        assert api.blob.get_size(blob) == "200000"
        assert transfer(lab, "GET", blob) == (200, sent)
    finally:
        api.blob.destroy(blob)
    assert blob_files(lab) <= before


def blob_files(lab: LabHandle) -> set[str]:
    """The bytes of blobs on the host; there is no folder for them before the first."""
    return {path.name for path in lab.path("d1-g1", "/var/lib/cardume/blobs").rglob("*") if path.is_file()}


def test_plugins_tell_of_the_real_host(lab: LabHandle, api: Any) -> None:
    (member,) = api.host.get_all()

    told = json.loads(api.host.call_plugin(member, "lsblk.py", "list_block_devices", {}))

    assert all(device["kname"] and device["size"].isdigit() for device in told["blockdevices"])
    assert api.host.call_plugin(member, "ipmitool.py", "is_ipmi_device_available", {}) == "false"
    assert re.search(r"(?m)^\[ *\d+\.\d+\] ", api.host.dmesg(member))


def transfer(lab: LabHandle, method: str, blob: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The status and the body of a request for a blob."""
    connection = http.client.HTTPSConnection(lab.address("d1-g1"), timeout=60, context=trusting())
    basic = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    try:
        connection.request(method, f"/blob?ref={blob}", body, {"Authorization": f"Basic {basic}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def trusting() -> ssl.SSLContext:
    """Takes the certificate that the host made for itself."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def shown(lab: LabHandle) -> str:
    """The digest of the certificate that the host shows to a new client."""
    text = ssl.get_server_certificate((lab.address("d1-g1"), 443), timeout=60)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()


def daemon_pid(lab: LabHandle) -> str:
    return lab.exec("d1-g1", "systemctl", "show", "--property=MainPID", "--value", "cardumed.service").strip()


def session_again(lab: LabHandle, before: str) -> Any:
    """A session with the daemon that came after the one of this process number."""
    deadline = time.monotonic() + BACK_S
    while True:
        try:
            if daemon_pid(lab) not in (before, "0"):
                with session(lab.address("d1-g1")) as api:
                    api.host.get_all()
                return session(lab.address("d1-g1"))
        except UNREACHABLE:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, "the daemon did not come back"
        time.sleep(0.5)
