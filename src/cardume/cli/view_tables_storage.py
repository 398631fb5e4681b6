"""What XenServer's command line shows of SRs, of the disks on them, and of how hosts and VMs reach both."""

from collections.abc import Iterator

from cardume.cli.directory import NOT_THERE, Record
from cardume.cli.fields import Subject, Value, Worked
from cardume.cli.views import Derived, View


def _host_of_sr(subject: Subject) -> Value:
    pbds = subject.record["PBDs"]
    if len(pbds) != 1:
        return "<shared>" if pbds else NOT_THERE
    pbd = subject.directory.find("PBD", pbds[0])
    return NOT_THERE if pbd is None else subject.directory.name("host", pbd["host"])


def _pbds_of_sr(record: Record) -> Iterator[tuple[str, str]]:
    yield from (("PBD", ref) for ref in record["PBDs"])


def _disk_name(subject: Subject) -> Value:
    if subject.record["empty"]:
        return "<EMPTY>"
    return subject.directory.name("VDI", subject.record["VDI"])


def _disk_of_vbd(record: Record) -> Iterator[tuple[str, str]]:
    yield "VDI", record["VDI"]


VIEWS: tuple[View, ...] = (
    View(
        "sr",
        "SR",
        """
        uuid name-label name-description host allowed-operations current-operations VDIs PBDs virtual-allocation
        physical-utilisation physical-size type content-type shared introduced-by is-tools-sr other-config sm-config
        blobs local-cache-enabled tags clustered
        """,
        ("uuid", "name-label", "name-description", "host", "type", "content-type"),
        derived={"host": Derived(Worked(_host_of_sr, _pbds_of_sr))},
        one=frozenset({"blobs"}),
        read_only=frozenset({"physical-size", "sm-config"}),
        plural="SRs",
    ),
    View(
        "vdi",
        "VDI",
        """
        uuid name-label name-description is-a-snapshot snapshot-of snapshots snapshot-time allowed-operations
        current-operations sr-uuid sr-name-label vbd-uuids crashdump-uuids virtual-size physical-utilisation location
        type sharable read-only storage-lock managed parent missing is-tools-iso other-config xenstore-data sm-config
        on-boot allow-caching metadata-latest metadata-of-pool tags cbt-enabled
        """,
        ("uuid", "name-label", "name-description", "sr-uuid", "virtual-size", "sharable", "read-only"),
        derived={
            "sr-uuid": Derived("SR"),
            "sr-name-label": Derived("SR.name"),
            "vbd-uuids": Derived("VBDs"),
            "crashdump-uuids": Derived("crash_dumps"),
        },
        one=frozenset({"snapshots"}),
        read_only=frozenset({"sm-config", "xenstore-data", "sharable", "read-only"}),
        deprecated=frozenset({"parent"}),
        plural="VDIs",
    ),
    View(
        "vbd",
        "VBD",
        """
        uuid vm-uuid vm-name-label vdi-uuid vdi-name-label allowed-operations current-operations empty device userdevice
        bootable mode type unpluggable currently-attached storage-lock status-code status-detail qos_algorithm_type
        qos_algorithm_params qos_supported_algorithms other-config
        """,
        ("uuid", "vm-uuid", "vm-name-label", "vdi-uuid", "empty", "device"),
        derived={
            "vm-uuid": Derived("VM"),
            "vm-name-label": Derived("VM.name"),
            "vdi-uuid": Derived("VDI"),
            "vdi-name-label": Derived(Worked(_disk_name, _disk_of_vbd)),
        },
        plural="VBDs",
    ),
    View(
        "pbd",
        "PBD",
        "uuid host host-uuid host-name-label sr-uuid sr-name-label device-config currently-attached other-config",
        ("uuid", "host-uuid", "sr-uuid", "device-config", "currently-attached"),
        derived={
            "host-uuid": Derived("host"),
            "host-name-label": Derived("host.name"),
            "sr-uuid": Derived("SR"),
            "sr-name-label": Derived("SR.name"),
        },
        read_only=frozenset({"device-config"}),
        deprecated=frozenset({"host"}),
        plural="PBDs",
    ),
    View(
        "sm",
        "SM",
        """
        uuid name-label name-description type vendor copyright required-api-version capabilities features configuration
        driver-filename required-cluster-stack supported-image-formats
        """,
        ("uuid", "type", "name-label", "name-description", "vendor", "copyright", "configuration"),
        one=frozenset({"capabilities", "configuration", "required-cluster-stack", "supported-image-formats"}),
        deprecated=frozenset({"capabilities"}),
        plural="storage drivers",
    ),
)
