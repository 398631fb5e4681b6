"""Commands about the pool database as a whole, and the audit log: backed up, restored, read."""

from cardume.cli.command import Call, Commands
from cardume.cli.confirm import confirm

commands = Commands()

PATH = "/pool/xmldbdump"


@commands.add("pool-dump-database", "file-name")
def pool_dump_database(call: Call) -> None:
    """Write a backup of the pool database to a new file. It holds the pool's secrets: keep it where nobody reads it."""
    call.desk.download(call, PATH, {}, call.params.get("file-name"), mode=0o600)


@commands.add("audit-log-get", "filename", optional=("since",))
def audit_log_get(call: Call) -> None:
    """Write the audit log, who called what, to a new file; since=2026-11-28T10:00:00 leaves out what came before."""
    call.desk.download(
        call, "/audit_log", {"since": call.params.get("since", "")}, call.params.get("filename"), mode=0o600
    )


@commands.add("pool-restore-database", "file-name", optional=("dry-run", "force"))
def pool_restore_database(call: Call) -> None:
    """Make the pool database what a backup says; dry-run=true only tries. Asks first, unless --force is given."""
    dry_run = call.params.flag("dry-run")
    if not dry_run:
        confirm(call, "WARNING: all that was changed since the backup is forgotten; disks and running VMs stay.")
    call.desk.upload(call, PATH, {"dry_run": "true"} if dry_run else {}, call.params.get("file-name"))
