"""Closed choices of VMs."""

from enum import StrEnum

from cardume.datamodel.declare import named


@named("domain_type")
class DomainType(StrEnum):
    """The kind of a virtual machine; Cardume runs `hvm`."""

    HVM = "hvm"
    PV = "pv"
    PV_IN_PVH = "pv_in_pvh"
    PVH = "pvh"
    UNSPECIFIED = "unspecified"


@named("vm_power_state")
class VMPowerState(StrEnum):
    """Whether a VM runs."""

    HALTED = "Halted"
    PAUSED = "Paused"
    RUNNING = "Running"
    SUSPENDED = "Suspended"


@named("vm_operations")
class VMOperation(StrEnum):
    """What may be done with a VM, and what its messages say of themselves while they work."""

    SNAPSHOT = "snapshot"
    CLONE = "clone"
    COPY = "copy"
    CREATE_TEMPLATE = "create_template"
    REVERT = "revert"
    CHECKPOINT = "checkpoint"
    SNAPSHOT_WITH_QUIESCE = "snapshot_with_quiesce"
    PROVISION = "provision"
    START = "start"
    START_ON = "start_on"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    CLEAN_SHUTDOWN = "clean_shutdown"
    CLEAN_REBOOT = "clean_reboot"
    HARD_SHUTDOWN = "hard_shutdown"
    POWER_STATE_RESET = "power_state_reset"
    HARD_REBOOT = "hard_reboot"
    SUSPEND = "suspend"
    CSVM = "csvm"
    RESUME = "resume"
    RESUME_ON = "resume_on"
    POOL_MIGRATE = "pool_migrate"
    MIGRATE_SEND = "migrate_send"
    GET_BOOT_RECORD = "get_boot_record"
    SEND_SYSRQ = "send_sysrq"
    SEND_TRIGGER = "send_trigger"
    QUERY_SERVICES = "query_services"
    SHUTDOWN = "shutdown"
    CALL_PLUGIN = "call_plugin"
    CHANGING_MEMORY_LIVE = "changing_memory_live"
    AWAITING_MEMORY_LIVE = "awaiting_memory_live"
    CHANGING_DYNAMIC_RANGE = "changing_dynamic_range"
    CHANGING_STATIC_RANGE = "changing_static_range"
    CHANGING_MEMORY_LIMITS = "changing_memory_limits"
    CHANGING_SHADOW_MEMORY = "changing_shadow_memory"
    CHANGING_SHADOW_MEMORY_LIVE = "changing_shadow_memory_live"
    CHANGING_VCPUS = "changing_VCPUs"
    CHANGING_VCPUS_LIVE = "changing_VCPUs_live"
    CHANGING_NVRAM = "changing_NVRAM"
    ASSERT_OPERATION_VALID = "assert_operation_valid"
    DATA_SOURCE_OP = "data_source_op"
    UPDATE_ALLOWED_OPERATIONS = "update_allowed_operations"
    MAKE_INTO_TEMPLATE = "make_into_template"
    IMPORT = "import"
    EXPORT = "export"
    METADATA_EXPORT = "metadata_export"
    REVERTING = "reverting"
    DESTROY = "destroy"
    CREATE_VTPM = "create_vtpm"
    SYSPREP = "sysprep"


@named("on_crash_behaviour")
class OnCrash(StrEnum):
    """What happens when a guest crashes."""

    DESTROY = "destroy"
    COREDUMP_AND_DESTROY = "coredump_and_destroy"
    RESTART = "restart"
    COREDUMP_AND_RESTART = "coredump_and_restart"
    PRESERVE = "preserve"
    RENAME_RESTART = "rename_restart"


@named("on_normal_exit")
class OnNormalExit(StrEnum):
    """What happens when a guest shuts down or reboots itself."""

    DESTROY = "destroy"
    RESTART = "restart"


@named("on_softreboot_behavior")
class OnSoftReboot(StrEnum):
    """What happens when a guest restarts without its firmware."""

    SOFT_REBOOT = "soft_reboot"
    DESTROY = "destroy"
    RESTART = "restart"
    PRESERVE = "preserve"


@named("vm_secureboot_certificates_state")
class SecurebootCertificatesState(StrEnum):
    """Whether the certificates in a VM's firmware are current."""

    OK = "ok"
    UPDATE_AVAILABLE = "update_available"
    UPDATE_ON_BOOT = "update_on_boot"


@named("vm_secureboot_readiness")
class SecurebootReadiness(StrEnum):
    """Whether a VM would boot with its firmware checking signatures, and what is missing."""

    NOT_SUPPORTED = "not_supported"
    DISABLED = "disabled"
    FIRST_BOOT = "first_boot"
    READY = "ready"
    READY_NO_DBX = "ready_no_dbx"
    SETUP_MODE = "setup_mode"
    CERTS_INCOMPLETE = "certs_incomplete"


@named("vm_uefi_mode")
class UefiMode(StrEnum):
    """Whether the firmware takes new keys (`setup`) or checks by those it has (`user`)."""

    SETUP = "setup"
    USER = "user"
