"""What XenServer's command line shows of tasks, alerts, people, groups and what else a pool keeps."""

from collections.abc import Iterator

from cardume.cli.directory import Record
from cardume.cli.fields import Shape, Subject, Value, Worked
from cardume.cli.views import Derived, View


def _names_of_roles(subject: Subject) -> Value:
    return [subject.directory.name("role", ref) for ref in subject.record["roles"]]


def _roles(record: Record) -> Iterator[tuple[str, str]]:
    yield from (("role", ref) for ref in record["roles"])


VIEWS: tuple[View, ...] = (
    View(
        "task",
        "task",
        """
        uuid name-label name-description subtask_of subtasks resident-on status progress type result created finished
        error_info allowed_operations current_operations other-config
        """,
        ("uuid", "name-label", "name-description", "status", "progress"),
        one=frozenset({"subtasks", "error_info", "allowed_operations", "current_operations"}),
        read_only=frozenset({"status", "progress", "result", "error_info"}),
    ),
    View(
        "message",
        "message",
        "uuid name priority class obj-uuid timestamp body",
        derived={"class": Derived("cls")},
    ),
    View(
        "subject",
        "subject",
        "uuid subject-identifier other-config roles",
        ("uuid", "subject-identifier", "other-config", "roles"),
        derived={"roles": Derived(Worked(_names_of_roles, _roles), Shape.SET)},
    ),
    View(
        "role",
        "role",
        "uuid name description",
        ("uuid", "name", "description"),
        derived={"name": Derived("name_label"), "description": Derived("name_description")},
    ),
    View("secret", "secret", "uuid value"),
    View(
        "appliance",
        "VM_appliance",
        "uuid name-label name-description VMs allowed-operations current-operations",
        one=frozenset({"VMs"}),
    ),
    View(
        "vm-group",
        "VM_group",
        "uuid name-label name-description placement vm-uuids",
        derived={"vm-uuids": Derived("VMs")},
    ),
    View(
        "vmss",
        "VMSS",
        "uuid name-label name-description enabled type retained-snapshots frequency schedule last-run-time VMs",
        one=frozenset({"VMs"}),
        read_only=frozenset({"last-run-time"}),
        plural="snapshot schedules",
    ),
    View(
        "certificate",
        "Certificate",
        """
        uuid type name host purpose not-before not-after fingerprint fingerprint_sha256 fingerprint_sha1
        """,
        ("uuid", "type", "name", "host", "not-after", "fingerprint"),
        one=frozenset({"purpose"}),
    ),
    View(
        "blob",
        "blob",
        "uuid name-label name-description size public last-updated mime-type",
        plural="files",
    ),
    View(
        "repository",
        "Repository",
        """
        uuid name-label name-description binary-url source-url hash update origin gpgkey-path certificate
        """,
        ("uuid", "name-label", "name-description", "binary-url", "update"),
        plural="repositories",
    ),
    View(
        "update",
        "pool_update",
        """
        uuid name-label name-description version installation-size hosts after-apply-guidance vdi key
        enforce-homogeneity other-config
        """,
        ("uuid", "name-label", "name-description", "installation-size", "hosts", "after-apply-guidance"),
        one=frozenset({"hosts", "after-apply-guidance"}),
    ),
    View(
        "patch",
        "pool_patch",
        "uuid name-label name-description version size host-patches after-apply-guidance pool-update other-config",
        ("uuid", "name-label", "name-description", "size", "after-apply-guidance"),
        one=frozenset({"host-patches", "after-apply-guidance"}),
        plural="patches",
    ),
    View(
        "host-crashdump",
        "host_crashdump",
        "uuid host-uuid timestamp size",
        derived={"host-uuid": Derived("host")},
        plural="crash dumps of hosts",
    ),
    View(
        "crashdump",
        "crashdump",
        "uuid vm-uuid vdi-uuid",
        derived={"vm-uuid": Derived("VM"), "vdi-uuid": Derived("VDI")},
    ),
    View("drtask", "DR_task", "uuid introduced-SRs", one=frozenset({"introduced-SRs"}), plural="recovery tasks"),
    View(
        "feature",
        "Feature",
        "uuid name-label name-description enabled experimental version host-uuid",
        derived={"host-uuid": Derived("host")},
        plural="features of hosts",
    ),
    View(
        "cluster",
        "Cluster",
        """
        uuid cluster-hosts cluster-token cluster-stack cluster-stack-version token-timeout token-timeout-coefficient
        pending-forget pool-auto-join is-quorate quorum live-hosts expected-hosts cluster-config allowed-operations
        current-operations other-config
        """,
        ("uuid", "cluster-hosts", "cluster-stack", "token-timeout", "token-timeout-coefficient", "other-config"),
        one=frozenset({"cluster-hosts", "pending-forget"}),
        hidden=frozenset({"cluster-token"}),
    ),
    View(
        "cluster-host",
        "Cluster_host",
        "uuid cluster host enabled joined live last-update-live PIF allowed-operations current-operations other-config",
        ("uuid", "cluster", "host", "enabled"),
        plural="hosts of clusters",
    ),
    View(
        "observer",
        "Observer",
        "uuid name-label name-description hosts enabled components attributes endpoints",
        one=frozenset({"hosts"}),
        plural="receivers of traces",
    ),
    View(
        "rate-limit",
        "Rate_limit",
        "uuid name-label name-description burst-size fill-rate callers",
        one=frozenset({"callers"}),
        plural="rate limits",
    ),
    View(
        "caller",
        "Caller",
        """
        uuid name-label name-description user-agent client-ip groups rate-limit auto-registered last-access
        """,
        ("uuid", "name-label", "user-agent", "client-ip", "rate-limit"),
        one=frozenset({"groups"}),
    ),
)
