"""The HTTP handlers beside RPC: their names, paths and the least role that may use each.

The permission of a handler is called `http/` and its name, as a message's is called by the message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.datamodel.roles import Role


@dataclass(frozen=True, slots=True)
class HttpHandler:
    """What XenAPI says about one handler."""

    name: str
    method: str
    path: str
    role: Role
    sub_roles: Mapping[str, Role] = field(default_factory=dict)  # a part of what it serves that needs more
    needs_role: bool = True  # False: the handler itself decides who may use it
    client_cert: bool = False

    @property
    def permission(self) -> str:
        """The name of the permission that it needs."""
        return f"http/{self.name}"


HTTP_HANDLERS: Mapping[str, HttpHandler] = {
    handler.name: handler
    for handler in (
        HttpHandler("get_services", "GET", "/services", Role.READ_ONLY),
        HttpHandler("post_services", "POST", "/services", Role.POOL_ADMIN),
        HttpHandler("put_services", "PUT", "/services", Role.POOL_ADMIN),
        HttpHandler("post_remote_db_access", "POST", "/remote_db_access", Role.POOL_ADMIN),
        HttpHandler("post_remote_db_access_v2", "POST", "/remote_db_access_v2", Role.POOL_ADMIN),
        HttpHandler("get_services_xenops", "GET", "/services/xenops", Role.VM_POWER_ADMIN),
        HttpHandler("post_services_xenops", "POST", "/services/xenops", Role.VM_POWER_ADMIN, client_cert=True),
        HttpHandler("put_services_xenops", "PUT", "/services/xenops", Role.VM_POWER_ADMIN, client_cert=True),
        HttpHandler("get_services_sm", "GET", "/services/SM", Role.VM_POWER_ADMIN),
        HttpHandler("post_services_sm", "POST", "/services/SM", Role.VM_POWER_ADMIN),
        HttpHandler("put_services_sm", "PUT", "/services/SM", Role.VM_POWER_ADMIN),
        HttpHandler("put_import", "PUT", "/import", Role.VM_ADMIN),
        HttpHandler("put_import_metadata", "PUT", "/import_metadata", Role.VM_ADMIN),
        HttpHandler("put_import_raw_vdi", "PUT", "/import_raw_vdi", Role.VM_ADMIN),
        HttpHandler("get_export", "GET", "/export", Role.VM_ADMIN),
        HttpHandler("get_export_metadata", "GET", "/export_metadata", Role.VM_ADMIN),
        HttpHandler("get_export_raw_vdi", "GET", "/export_raw_vdi", Role.VM_ADMIN),
        HttpHandler(
            "connect_console", "CONNECT", "/console", Role.VM_OPERATOR, sub_roles={"host_console": Role.POOL_ADMIN}
        ),
        HttpHandler(
            "connect_console_ws", "GET", "/console", Role.VM_OPERATOR, sub_roles={"host_console_ws": Role.POOL_ADMIN}
        ),
        HttpHandler("get_root", "GET", "/", Role.READ_ONLY, needs_role=False),
        HttpHandler("post_cli", "POST", "/cli", Role.READ_ONLY, needs_role=False),
        HttpHandler("get_host_backup", "GET", "/host_backup", Role.POOL_ADMIN),
        HttpHandler("put_host_restore", "PUT", "/host_restore", Role.POOL_ADMIN),
        HttpHandler("get_host_logs_download", "GET", "/host_logs_download", Role.POOL_OPERATOR),
        HttpHandler("put_pool_patch_upload", "PUT", "/pool_patch_upload", Role.POOL_OPERATOR),
        HttpHandler(
            "get_vncsnapshot", "GET", "/vncsnapshot", Role.VM_OPERATOR, sub_roles={"host_console": Role.POOL_ADMIN}
        ),
        HttpHandler("get_pool_xml_db_sync", "GET", "/pool/xmldbdump", Role.POOL_ADMIN),
        HttpHandler("put_pool_xml_db_sync", "PUT", "/pool/xmldbdump", Role.POOL_ADMIN),
        HttpHandler("get_config_sync", "GET", "/sync_config_files", Role.POOL_ADMIN),
        HttpHandler("get_system_status", "GET", "/system-status", Role.POOL_OPERATOR),
        HttpHandler("vm_rrd", "GET", "/vm_rrd", Role.READ_ONLY),
        HttpHandler("get_vm_rrds", "GET", "/vm_rrds", Role.READ_ONLY),
        HttpHandler("host_rrd", "GET", "/host_rrd", Role.READ_ONLY),
        HttpHandler("get_host_rrds", "GET", "/host_rrds", Role.READ_ONLY),
        HttpHandler("sr_rrd", "GET", "/sr_rrd", Role.READ_ONLY),
        HttpHandler("rrd_updates", "GET", "/rrd_updates", Role.READ_ONLY),
        HttpHandler("rrd", "PUT", "/rrd", Role.POOL_ADMIN),
        HttpHandler("get_blob", "GET", "/blob", Role.READ_ONLY, needs_role=False),
        HttpHandler("put_blob", "PUT", "/blob", Role.VM_POWER_ADMIN),
        HttpHandler("put_messages", "PUT", "/messages", Role.VM_POWER_ADMIN),
        HttpHandler("connect_remotecmd", "CONNECT", "/remotecmd", Role.POOL_ADMIN),
        HttpHandler("get_wlb_report", "GET", "/wlb_report", Role.READ_ONLY),
        HttpHandler("get_wlb_diagnostics", "GET", "/wlb_diagnostics", Role.READ_ONLY),
        HttpHandler("get_audit_log", "GET", "/audit_log", Role.READ_ONLY),
        HttpHandler("post_root", "POST", "/", Role.READ_ONLY, needs_role=False),
        HttpHandler("post_RPC2", "POST", "/RPC2", Role.READ_ONLY, needs_role=False),
        HttpHandler("post_json", "POST", "/json", Role.READ_ONLY, needs_role=False),
        HttpHandler("post_root_options", "OPTIONS", "/", Role.READ_ONLY, needs_role=False),
        HttpHandler("post_json_options", "OPTIONS", "/json", Role.READ_ONLY, needs_role=False),
        HttpHandler("post_jsonrpc", "POST", "/jsonrpc", Role.READ_ONLY, needs_role=False),
        HttpHandler("post_jsonrpc_options", "OPTIONS", "/jsonrpc", Role.READ_ONLY, needs_role=False),
        HttpHandler("get_pool_update_download", "GET", "/update/", Role.READ_ONLY, needs_role=False),
        HttpHandler("get_repository", "GET", "/repository", Role.LOCAL_ROOT),
        HttpHandler("get_enabled_repository", "GET", "/repository/enabled", Role.POOL_OPERATOR, client_cert=True),
        HttpHandler("get_host_updates", "GET", "/host_updates", Role.POOL_OPERATOR, client_cert=True),
        HttpHandler("get_updates", "GET", "/updates", Role.POOL_OPERATOR, client_cert=True),
        HttpHandler("put_bundle", "PUT", "/bundle", Role.POOL_OPERATOR),
    )
}
"""Every handler of XenAPI by its name, the ones that Cardume does not serve included."""
