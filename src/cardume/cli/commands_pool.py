"""Commands about what the pool keeps besides machines: tasks, alerts, secrets, users; and waiting for changes."""

from cardume.cli.command import Call, Commands
from cardume.cli.failures import Plain, missing
from cardume.cli.fields import Subject
from cardume.cli.fresh import fresh
from cardume.cli.selection import load, unknown_field
from cardume.cli.views import View, views

commands = Commands()

EVENT_TIMEOUT_S = 30.0
_UNEQUAL = "/="


@commands.add("task-cancel", "uuid")
def task_cancel(call: Call) -> None:
    """Ask for a piece of work to stop."""
    call.server.call("task.cancel", call.by_uuid("task"))


@commands.add("event-wait", "class", optional=("FIELD=",))
def event_wait(call: Call) -> None:
    """Wait until an object of the class has these values; FIELD=/=value waits for another value than this."""
    name = call.params.get("class")
    view = views().get(name.replace("_", "-"))
    if view is None:
        raise Plain(f"Cli listening for class '{name}' not currently implemented")
    conditions = call.params.without("class")
    for field, _ in conditions:
        if view.find(field) is None:
            raise unknown_field(field)
    token, found = "", False
    while not found:
        # The first answer holds every object as it is, so what is true already ends the wait at once.
        batch = call.server.call("event.from", [view.cls.lower()], token, EVENT_TIMEOUT_S)
        token = batch["token"]
        found = any(_fits(call, view, event, conditions) for event in batch["events"] if "snapshot" in event)


def _fits(call: Call, view: View, event: dict[str, object], conditions: tuple[tuple[str, str], ...]) -> bool:
    record = event["snapshot"]
    assert isinstance(record, dict), "a snapshot is a record"
    subject = Subject(str(event["ref"]), record, call.directory, call.server)
    for name, value in conditions:
        field = view.fields[name]
        load(call, [subject], [field])
        differs = value.startswith(_UNEQUAL)
        if (field.text(subject) == value.removeprefix(_UNEQUAL)) is differs:
            return False
    return True


@commands.add("message-create", "name", "priority", "body", optional=("vm-uuid", "host-uuid", "sr-uuid", "pool-uuid"))
def message_create(call: Call) -> None:
    """Raise an alert about a VM, a host, an SR or the pool."""
    params = call.params
    classes = {"vm-uuid": "VM", "pool-uuid": "Pool", "sr-uuid": "SR", "host-uuid": "Host"}
    named = next((name for name in classes if name in params), None)
    if named is None:
        raise Plain("Need one of: vm-uuid, host-uuid, sr-uuid or pool-uuid")
    call.server.call(
        "message.create",
        params.get("name"),
        params.integer("priority"),
        classes[named],
        params.get(named),
        params.get("body"),
    )


@commands.add("message-destroy", optional=("uuid", "uuids"))
def message_destroy(call: Call) -> None:
    """Dismiss alerts: one by uuid, or several by uuids, separated by commas."""
    if ("uuid" in call.params) is ("uuids" in call.params):
        raise Plain("Need one of uuid, uuids")
    uuids = [call.params.uuid("uuid")] if "uuid" in call.params else call.params.words("uuids")
    call.server.call("message.destroy_many", [call.get("message.get_by_uuid", uuid) for uuid in uuids])


@commands.add("message-destroy-all", optional=("before", "after", "priority"))
def message_destroy_all(call: Call) -> None:
    """Dismiss all alerts, or those before or after a time or of one priority."""
    names = ("before", "after", "priority")
    call.server.call("message.destroy_all", {name: call.params.get(name) for name in names if name in call.params})


@commands.add("secret-create", optional=("value", "value-file", "other-config:"))
def secret_create(call: Call) -> None:
    """Keep a password apart from what needs it; its uuid is given in its place. Best given as value-file=FILE."""
    secret = fresh("secret", value=call.params.secret("value"), other_config=call.params.map_of("other-config"))
    call.print_uuid("secret", call.get("secret.create", secret))


@commands.add("secret-destroy", "uuid")
def secret_destroy(call: Call) -> None:
    """Forget a password."""
    call.server.call("secret.destroy", call.by_uuid("secret"))


@commands.add("subject-add", "subject-name", optional=("subject-identifier",))
def subject_add(call: Call) -> None:
    """Give a user or group of the directory access to the pool; roles are added after that."""
    name = call.params.get("subject-name")
    identifier = call.params.get("subject-identifier", "") or call.server.call("auth.get_subject_identifier", name)
    told = call.server.call("auth.get_subject_information_from_identifier", identifier)
    subject = fresh("subject", subject_identifier=identifier, other_config=told)
    call.print_uuid("subject", call.get("subject.create", subject))


@commands.add("subject-remove", "subject-uuid")
def subject_remove(call: Call) -> None:
    """Take a user's or group's access to the pool away."""
    call.server.call("subject.destroy", call.by_uuid("subject", "subject-uuid"))


@commands.add("subject-role-add", "uuid", optional=("role-name", "role-uuid"))
def subject_role_add(call: Call) -> None:
    """Give a user or group a role."""
    call.server.call("subject.add_to_roles", call.by_uuid("subject"), _role(call))


@commands.add("subject-role-remove", "uuid", optional=("role-name", "role-uuid"))
def subject_role_remove(call: Call) -> None:
    """Take a role away from a user or group."""
    call.server.call("subject.remove_from_roles", call.by_uuid("subject"), _role(call))


def _role(call: Call) -> str:
    params = call.params
    if "role-uuid" in params and "role-name" in params:
        raise Plain("Parameters role-uuid and role-name cannot be used together")
    if "role-uuid" in params:
        return call.by_uuid("role", "role-uuid")
    if "role-name" not in params:
        raise missing("role-uuid or role-name")
    roles = call.server.call("role.get_by_name_label", params.get("role-name"))
    if not roles:
        raise Plain(f"There is no role {params.get('role-name')}; `xe role-list` shows them")
    return str(roles[0])


@commands.add("session-subject-identifier-list")
def session_subject_identifier_list(call: Call) -> None:
    """List the accounts of the directory that have a session."""
    accounts = call.server.call("session.get_all_subject_identifiers")
    call.printer.table([[("subject-identifier ( RO)", account)] for account in accounts])


@commands.add("session-subject-identifier-logout", "subject-identifier")
def session_subject_identifier_logout(call: Call) -> None:
    """End all sessions of an account of the directory."""
    call.server.call("session.logout_subject_identifier", call.params.get("subject-identifier"))


@commands.add("user-password-change", optional=("new", "new-file", "old", "old-file"))
def user_password_change(call: Call) -> None:
    """Change the password of root on every host of the pool. Best given as old-file=FILE new-file=FILE."""
    params = call.params
    old = params.secret("old") if "old" in params or "old-file" in params else ""
    call.server.call("session.change_password", old, params.secret("new"))
