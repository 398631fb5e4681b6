"""What the lab writes into a box: its name, addresses and neighbours; and the storage server's services."""

import uuid
from collections.abc import Mapping
from pathlib import Path

from cardume.lab.layout import ISO_EXPORT, VDI_EXPORT, Box, Lab, Network
from cardume.lab.targets import targets_conf

FIRST_GUEST, LAST_GUEST = 100, 250
# tgtd does not end by SIGTERM while it has targets; and whoever stops a service of the lab wants to see it die.
_DIES_AT_ONCE = "ExecStop=\nKillSignal=SIGKILL\nSuccessExitStatus=SIGKILL\nTimeoutStopSec=3\n"
_BEGIN, _END = "# the lab's boxes: begin", "# the lab's boxes: end"


def first_files(lab: Lab, box: Box) -> Mapping[str, str]:
    """The files, by their path in the box, that it needs before its first boot."""
    return {
        "etc/hostname": f"{box.name}\n",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "etc/hosts": with_neighbours(lab, "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"),
        **{
            # A high number: what the product configures for the same interface comes first.
            f"etc/systemd/network/80-lab-{network.interface}.network": _interface(lab, box, network)
            for network in Network
        },
    }


def with_neighbours(lab: Lab, hosts: str) -> str:
    """The text of /etc/hosts with the lab's boxes in it.

    libvirt looks names up several times a migration, and waits forty seconds for each that does not resolve.
    """
    before, _, rest = hosts.partition(f"{_BEGIN}\n")
    after = rest.partition(f"{_END}\n")[2]
    lines = [f"{lab.address(box)} {box.name}\n" for box in lab.boxes]
    return f"{before}{_BEGIN}\n{''.join(lines)}{_END}\n{after}"


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files below a directory."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def _interface(lab: Lab, box: Box, network: Network) -> str:
    prefix = lab.network(network).prefixlen
    return (
        f"[Match]\nName={network.interface}\n\n"
        f"[Network]\nAddress={lab.address(box, network)}/{prefix}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
        "ConfigureWithoutCarrier=yes\nIgnoreCarrierLoss=yes\n"
    )


def storage_files(lab: Lab, box: Box) -> Mapping[str, str]:
    """What tells the storage server's services what to serve, and how to die when they are stopped."""
    storage, management = lab.address(box, Network.STORAGE), lab.address(box)
    return {
        "etc/tgt/targets.conf": targets_conf(lab),
        "etc/systemd/system/tgt.service.d/lab.conf": (
            "[Unit]\nWants=network-online.target\nAfter=network-online.target\n\n"
            f"[Service]\nExecStart=\nExecStart=/usr/sbin/tgtd -f --iscsi portal={storage}:3260\n"
            f"{_DIES_AT_ONCE}"
        ),
        "etc/ganesha/ganesha.conf": _exports(storage_address=str(storage)),
        "etc/systemd/system/nfs-ganesha.service.d/lab.conf": (
            f"[Unit]\nWants=network-online.target\nAfter=network-online.target\n\n[Service]\n{_DIES_AT_ONCE}"
        ),
        "etc/systemd/system/rpcbind.socket.d/lab.conf": (
            "[Socket]\nListenStream=\nListenDatagram=\nListenStream=/run/rpcbind.sock\nFreeBind=yes\n"
            f"ListenStream={storage}:111\nListenDatagram={storage}:111\nListenStream=127.0.0.1:111\nListenDatagram=127.0.0.1:111\n"
        ),
        "etc/dnsmasq.d/lab.conf": _leases(lab, str(management)),
    }


def _exports(storage_address: str) -> str:
    return f"""\
NFS_CORE_PARAM {{
    Bind_addr = {storage_address};
    NFS_Port = 2049;
    MNT_Port = 20048;
    Protocols = 3, 4;
    Enable_NLM = false;
    Enable_RQUOTA = false;
    Enable_UDP = false;
}}
NFS_KRB5 {{
    Active_krb5 = false;
}}
NFSv4 {{
    Graceless = true;
}}
{_export(1, ISO_EXPORT, "RO")}{_export(2, VDI_EXPORT, "RW")}"""


def _export(number: int, path: str, access: str) -> str:
    return f"""\
EXPORT {{
    # A file that is put there behind the server's back is seen by the next scan.
    Attr_Expiration_Time = 0;
    Export_Id = {number};
    Path = {path};
    Pseudo = {path};
    Access_Type = {access};
    Squash = No_Root_Squash;
    SecType = sys;
    Protocols = 3, 4;
    Transports = TCP;
    FSAL {{
        Name = VFS;
    }}
}}
"""


def _leases(lab: Lab, address: str) -> str:
    network = lab.network(Network.MANAGEMENT)
    first, last = network[FIRST_GUEST], network[LAST_GUEST]
    return (
        "port=0\n"  # addresses only, no names
        f"interface={Network.MANAGEMENT.interface}\nlisten-address={address}\nbind-dynamic\nno-resolv\nno-ping\n"
        # Leases never end: a guest keeps its address over stops, hosts and failovers.
        f"dhcp-range={first},{last},{network.netmask},infinite\n"
        "dhcp-option=3\ndhcp-option=6\ndhcp-authoritative\ndhcp-leasefile=/var/lib/misc/dnsmasq.leases\n"
    )
