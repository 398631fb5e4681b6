"""XenAPI as the lab speaks it: a session on a host, with a timeout on every call."""

import ssl
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPSConnection
from typing import Any

import XenAPI

from cardume.lab.errors import LabError

USER = "root"
PASSWORD = "cardume-lab"
CALL_TIMEOUT_S = 180.0
UNREACHABLE = (OSError, HTTPException, xmlrpc.client.ProtocolError)


class MemberOfPool(LabError):
    """The host is a pool's member; carries its master's address."""

    def __init__(self, address: str, master: str) -> None:
        super().__init__(f"the host at {address} is a member of the pool whose master is {master}")
        self.master = master


class _Transport(xmlrpc.client.SafeTransport):
    """HTTPS that gives up, and takes the certificate that a host made for itself: the lab's network is its own."""

    def __init__(self, timeout_s: float) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(context=context)
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> HTTPSConnection:
        connection = super().make_connection(host)
        connection.timeout = self._timeout_s
        return connection


@contextmanager
def session(address: str, timeout_s: float = CALL_TIMEOUT_S) -> Iterator[Any]:
    """The API of a host (`session.xenapi`), logged in; MemberOfPool when another host answers for it."""
    with XenAPI.Session(f"https://{address}", transport=_Transport(timeout_s)) as client:
        try:
            client.xenapi.login_with_password(USER, PASSWORD, "1.0", "cardume-lab")
        except XenAPI.Failure as failure:
            if failure.details[0] == "HOST_IS_SLAVE":
                raise MemberOfPool(address, failure.details[1]) from None
            raise
        try:
            yield client.xenapi
        finally:
            with suppress(XenAPI.Failure, *UNREACHABLE):
                client.xenapi.session.logout()


def wait_for_api(address: str, timeout_s: float) -> None:
    """Return when the host answers log-ins; LabError with the last reason when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with session(address, timeout_s=10.0):
                return
        except MemberOfPool:
            return
        except (XenAPI.Failure, *UNREACHABLE) as reason:
            if time.monotonic() > deadline:
                raise LabError(f"https://{address} did not answer within {timeout_s:g} s: {reason}") from None
        time.sleep(0.2)


def find_vm_address(api: Any, name_label: str) -> str | None:
    """The first IPv4 address that a VM's guest tells of itself; LabError when there is no such VM."""
    machines = [vm for vm in api.VM.get_by_name_label(name_label) if not api.VM.get_is_a_template(vm)]
    if not machines:
        raise LabError(f"there is no VM {name_label}")
    metrics = api.VM.get_guest_metrics(machines[0])
    if metrics == "OpaqueRef:NULL":
        return None
    networks: dict[str, str] = api.VM_guest_metrics.get_networks(metrics)
    found = (networks.get(key) for key in ("0/ip", "0/ipv4/0"))
    return next((address for address in found if address), None)


def leave_nothing_in_the_way(api: Any) -> None:
    """Shut VMs down, and detach and forget what is shared: section 1 of the course."""
    for vm, record in api.VM.get_all_records().items():
        if record["power_state"] == "Running" and not record["is_control_domain"]:
            api.VM.hard_shutdown(vm)
    for sr, record in api.SR.get_all_records().items():
        if record["shared"]:
            for pbd in record["PBDs"]:
                api.PBD.unplug(pbd)
            api.SR.forget(sr)
