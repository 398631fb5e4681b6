"""Run by test_client_xen_bridge with the package `xen-bridge`: logs in, reads every property of what it finds."""

import json
import os
import ssl
import sys
import typing
import xmlrpc.client
from typing import Any

import xenbridge  # type: ignore[import-not-found]  # a foreign client, present only in the environment it runs in

CLASSES = (
    *("Pool", "Host", "HostMetrics", "HostCpu", "VM", "VMMetrics", "VMGuestMetrics", "VBD", "VIF", "VDI", "SR", "SM"),
    *("PBD", "PIF", "PIFMetrics", "Network", "Task", "Role", "Secret", "Subject", "Console"),
)


MOST = 8
"""Objects of one class: each of their fields is a call of its own, and there are a thousand roles."""


def main(url: str, user: str) -> None:
    """Print what was read as JSON."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    xen = xenbridge.XenConnection(url, user, os.environ["XENSERVER_PASSWORD"], context=anybody)
    unreadable: dict[str, str] = {}
    fields_read = 0
    for name in CLASSES:
        for thing in getattr(xen, name).get_all()[:MOST]:
            for property_name in properties(type(thing)):
                try:
                    getattr(thing, property_name)
                    fields_read += 1
                except (xenbridge.XenError, TypeError, ValueError, AttributeError, xmlrpc.client.Error) as error:
                    unreadable[f"{name}.{property_name}"] = repr(error)
    (running,) = xen.VM.get_by_name_label("vm-d1-g1")
    try:
        running.unpause()
        refused = ""
    except xenbridge.XenError as error:
        refused = error.error_code
    told: dict[str, Any] = {
        "pools": len(xen.Pool.get_all()),
        "hosts": [host.name_label for host in xen.Host.get_all()],
        "vms": [vm.name_label for vm in xen.VM.get_all()],
        "refused": refused,
        "unreadable": unreadable,
        "fields_read": fields_read,
    }
    print(json.dumps(told))
    xen.call("session.logout")


def properties(kind: type) -> list[str]:
    """The names of the readable properties that the package declares for a class."""
    declared: typing.Any = vars(kind)
    kinds = xenbridge.xenobject.XenProperty
    return [name for name, value in declared.items() if isinstance(value, kinds) and value.read]


if __name__ == "__main__":
    main(*sys.argv[1:])
