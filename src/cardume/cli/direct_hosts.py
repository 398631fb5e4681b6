"""Commands about hosts that send one message each (see `direct.py` for the words)."""

from cardume.cli.direct import Direct

ROWS: tuple[Direct, ...] = (
    Direct("host-reboot", "host.reboot", "@host", "Restart disabled hosts.", long=True),
    Direct("host-shutdown", "host.shutdown", "@host", "Switch disabled hosts off.", long=True),
    Direct("host-power-on", "host.power_on", "@host", "Switch hosts on, in the way that their power-on-mode says."),
    Direct(
        "host-set-power-on-mode",
        "host.set_power_on_mode",
        "@host power-on-mode power-on-config:",
        "Say how hosts can be switched on from afar.",
    ),
    Direct(
        "host-evacuate",
        "host.evacuate",
        "@host network-uuid? batch-size?",
        "Move all VMs of hosts to others, over the network that is given.",
        long=True,
    ),
    Direct(
        "host-get-vms-which-prevent-evacuation",
        "host.get_vms_which_prevent_evacuation",
        "uuid",
        "Show which VMs cannot leave a host, and why.",
    ),
    Direct(
        "host-get-uncooperative-vms",
        "host.get_uncooperative_resident_VMs",
        "uuid",
        "List the VMs of a host that do not give back memory when they are asked to.",
    ),
    Direct("host-forget", "host.destroy", "uuid", "Forget a host that will not come back."),
    Direct("host-restart-agent", "host.restart_agent", "@host", "Restart the daemon of hosts; guests run on."),
    Direct("host-dmesg", "host.dmesg", "@host", "Show the kernel's messages of hosts."),
    Direct("host-syslog-reconfigure", "host.syslog_reconfigure", "host-uuid", "Let a host read its logging anew."),
    Direct(
        "host-set-hostname-live", "host.set_hostname_live", "host-uuid host-name", "Change the name of a host's system."
    ),
    Direct(
        "host-call-plugin",
        "host.call_plugin",
        "host-uuid plugin fn args:",
        "Call a function of a plug-in on a host, and show what it answers.",
        long=True,
    ),
    Direct(
        "host-emergency-management-reconfigure",
        "host.local_management_reconfigure",
        "interface",
        "Reach this host's API through another interface, while the pool's master cannot be asked.",
    ),
    Direct(
        "host-refresh-server-certificate",
        "host.refresh_server_certificate",
        "@host",
        "Give hosts new certificates for the pool's own traffic.",
    ),
    Direct(
        "host-reset-server-certificate",
        "host.reset_server_certificate",
        "@host",
        "Give hosts new certificates that they sign themselves.",
    ),
    Direct(
        "host-emergency-reset-server-certificate",
        "host.emergency_reset_server_certificate",
        "",
        "Give this host a new certificate that it signs itself, while the pool's master cannot be asked.",
    ),
    Direct("host-get-server-certificate", "host.get_server_certificate", "@host", "Show the certificate of hosts."),
    Direct(
        "host-server-certificate-install",
        "host.install_server_certificate",
        "@host <certificate <private-key <certificate-chain?",
        "Install a certificate and its key, from files in PEM form.",
    ),
    Direct(
        "host-emergency-disable-tls-verification",
        "host.emergency_disable_tls_verification",
        "",
        "Let this host trust others unchecked, when certificates keep it from the pool.",
    ),
    Direct(
        "host-emergency-reenable-tls-verification",
        "host.emergency_reenable_tls_verification",
        "",
        "Let this host check certificates again.",
    ),
    Direct(
        "host-emergency-ha-disable",
        "host.emergency_ha_disable",
        "soft=false",
        "Switch HA off on this host alone, when the pool cannot; be sure that its VMs run nowhere else.",
    ),
    Direct("host-enable-display", "host.enable_display", "uuid", "Let a host use its own screen after a restart."),
    Direct("host-disable-display", "host.disable_display", "uuid", "Free a host's graphics card after a restart."),
    Direct(
        "host-enable-local-storage-caching",
        "host.enable_local_storage_caching",
        "@host sr-uuid",
        "Cache disks of shared SRs on a local SR of hosts.",
    ),
    Direct(
        "host-disable-local-storage-caching",
        "host.disable_local_storage_caching",
        "@host",
        "Stop caching disks of shared SRs on hosts.",
    ),
    Direct("host-enable-ssh", "host.enable_ssh", "uuid", "Open SSH on a host."),
    Direct("host-disable-ssh", "host.disable_ssh", "uuid", "Close SSH on a host."),
    Direct(
        "host-apply-edition", "host.apply_edition", "host-uuid edition force=false", "Change the edition of a host."
    ),
    Direct(
        "host-get-system-status-capabilities",
        "host.get_system_status_capabilities",
        "@host",
        "Show what a status report of hosts can hold.",
    ),
    Direct(
        "host-retrieve-wlb-evacuate-recommendations",
        "host.retrieve_wlb_evacuate_recommendations",
        "uuid",
        "Show where the workload balancer would move the VMs of a host.",
    ),
    Direct("host-data-source-list", "host.get_data_sources", "@host", "List what is measured of hosts."),
    Direct(
        "host-data-source-record",
        "host.record_data_source",
        "@host data-source",
        "Keep a measurement of hosts from now.",
    ),
    Direct("host-data-source-query", "host.query_data_source", "@host data-source", "Show the newest measurement."),
    Direct(
        "host-data-source-forget",
        "host.forget_data_source_archives",
        "@host data-source",
        "Forget what was measured of hosts.",
    ),
    Direct("host-sync-data", "host.sync_data", "@host", "Copy the files that all hosts share to hosts."),
    Direct("host-crashdump-destroy", "host_crashdump.destroy", "uuid", "Delete what a crash of a host left."),
    Direct("host-crashdump-upload", "host_crashdump.upload", "uuid url options:", "Send what a crash left elsewhere."),
    Direct("host-driver-rescan", "Host_driver.rescan", "host-uuid", "Look again which drivers a host has."),
    Direct(
        "host-driver-select",
        "Host_driver.select",
        "uuid variant-uuid",
        "Choose the build of a driver for the next start.",
    ),
    Direct("host-driver-deselect", "Host_driver.deselect", "uuid", "Choose none of the builds of a driver."),
)
