"""Commands about VMs, disks and SRs that send one message each (see `direct.py` for the words)."""

from cardume.cli.direct import Direct

ROWS: tuple[Direct, ...] = (
    Direct(
        "vm-get-secureboot-readiness",
        "VM.get_secureboot_readiness",
        "uuid",
        "Show whether a VM can start with Secure Boot.",
    ),
    Direct(
        "vm-set-uefi-mode", "VM.set_uefi_mode", "uuid mode", "Set up a VM's Secure Boot variables: mode=user or setup."
    ),
    Direct(
        "vm-call-plugin",
        "VM.call_plugin",
        "vm-uuid plugin fn args:",
        "Call a function of a plug-in about a VM, and show what it answers.",
        long=True,
    ),
    Direct("vm-query-services", "VM.query_services", "@vm", "Show the services that VMs offer."),
    Direct("vm-restart-device-models", "VM.restart_device_models", "@vm", "Restart the emulators of VMs."),
    Direct(
        "vm-shadow-multiplier-set", "VM.set_HVM_shadow_multiplier", "uuid multiplier", "Change a VM's shadow memory."
    ),
    Direct("vm-send-sysrq", "VM.send_sysrq", "uuid key", "Press a system request key of a VM."),
    Direct("vm-send-trigger", "VM.send_trigger", "uuid trigger", "Send a VM a hardware signal, such as nmi."),
    Direct(
        "vm-retrieve-wlb-recommendations",
        "VM.retrieve_wlb_recommendations",
        "@vm",
        "Show where the workload balancer would start VMs.",
    ),
    Direct("vm-data-source-list", "VM.get_data_sources", "@vm", "List what is measured of VMs."),
    Direct("vm-data-source-record", "VM.record_data_source", "@vm data-source", "Keep a measurement of VMs from now."),
    Direct("vm-data-source-query", "VM.query_data_source", "@vm data-source", "Show the newest measurement."),
    Direct(
        "vm-data-source-forget", "VM.forget_data_source_archives", "@vm data-source", "Forget what was measured of VMs."
    ),
    Direct(
        "vdi-pool-migrate",
        "VDI.pool_migrate",
        "uuid sr-uuid -",
        "Move a disk that no running VM has to another SR.",
        long=True,
    ),
    Direct("vdi-enable-cbt", "VDI.enable_cbt", "uuid", "Note from now on which blocks of a disk change."),
    Direct("vdi-disable-cbt", "VDI.disable_cbt", "uuid", "Stop noting which blocks of a disk change."),
    Direct("vdi-data-destroy", "VDI.data_destroy", "uuid", "Delete a snapshot's data; what changed stays known."),
    Direct(
        "vdi-list-changed-blocks",
        "VDI.list_changed_blocks",
        "vdi-from-uuid vdi-to-uuid",
        "Show which blocks changed between two snapshots of a disk, as a bitmap in base64.",
    ),
    Direct(
        "sr-probe-ext",
        "SR.probe_ext",
        "host-uuid device-config: type sm-config:",
        "Show what storage offers, a record each.",
    ),
    Direct(
        "sr-enable-database-replication", "SR.enable_database_replication", "uuid", "Keep the pool's database on an SR."
    ),
    Direct(
        "sr-disable-database-replication",
        "SR.disable_database_replication",
        "uuid",
        "Stop keeping the pool's database on an SR.",
    ),
    Direct("sr-data-source-list", "SR.get_data_sources", "@sr", "List what is measured of SRs."),
    Direct("sr-data-source-record", "SR.record_data_source", "@sr data-source", "Keep a measurement of SRs from now."),
    Direct("sr-data-source-query", "SR.query_data_source", "@sr data-source", "Show the newest measurement."),
    Direct(
        "sr-data-source-forget", "SR.forget_data_source_archives", "@sr data-source", "Forget what was measured of SRs."
    ),
    Direct("crashdump-destroy", "crashdump.destroy", "uuid", "Delete what a crash of a guest left."),
)
