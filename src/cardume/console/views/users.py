"""Users of a pool: adding an account with a role, another role, and taking an account's rights away."""

from typing import TYPE_CHECKING

from nicegui import ui

from cardume.console.connections.cache import Record
from cardume.console.connections.connection import Connection
from cardume.console.connections.undoing import undone_by
from cardume.console.presenters import users
from cardume.console.presenters.sources import Source
from cardume.console.views import confirm
from cardume.console.views.forms import Draft, choice, form, text_field
from cardume.console.views.markup import acts_text

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

Found = tuple[Connection, Source, str, Record]


async def add(screen: "Screen", found: Found) -> None:
    """Let an account of the directory use the pool."""
    connection, source, _, _ = found
    t = screen.t
    draft: Draft = {"name": "", "role": users.LEAST}

    def wrong() -> str:
        return users.why_not_added(draft, source, t)

    def tell() -> None:
        calls.content = "" if wrong() else acts_text(t("pool.calls"), users.commands_to_add(draft))

    with form(screen, t("users.title"), t("do.user_add"), wrong) as asked:
        ui.label(t("users.note")).classes("note")
        text_field(t("users.name"), draft, "name", "autofocus").on_value_change(tell)
        choice(t("column.role"), users.role_choices(t), draft, "role").on_value_change(tell)
        calls = ui.html("", sanitize=False).classes("w-full")
    if await asked[0].is_filled():
        name, role = draft["name"].strip(), draft["role"]
        screen.run(t("job.user_add", name=name), let_in(connection, name, role))


async def change_role(screen: "Screen", found: Found, ref: str) -> None:
    """Give an account another role in the place of those that it has."""
    connection, source, _, _ = found
    t, subject = screen.t, source.cache.find("subject", ref)
    if subject is None:
        screen.tell(t("empty.object"), failed=True)
        return
    before = users.roles_of(subject)
    draft: Draft = {"role": before[0] if before else users.LEAST}

    def tell() -> None:
        lines = users.commands_to_change(subject, draft["role"])
        calls.content = acts_text(t("pool.calls"), lines) if lines else ""

    name = users.name_of(subject)
    with form(screen, t("users.role_title", name=name), t("properties.go")) as asked:
        choice(t("column.role"), users.role_choices(t), draft, "role").on_value_change(tell)
        ui.label(t("users.at_once")).classes("note")
        calls = ui.html("", sanitize=False).classes("w-full")
        tell()
    if await asked[0].is_filled() and users.commands_to_change(subject, draft["role"]):
        screen.run(t("job.user_role", name=name), give_role(connection, ref, before, draft["role"]))


async def remove(screen: "Screen", found: Found, ref: str) -> None:
    """Take an account's rights away, when one is sure; the account itself stays in the directory."""
    connection, source, _, _ = found
    subject = source.cache.find("subject", ref)
    if subject is None:
        screen.tell(screen.t("empty.object"), failed=True)
    elif await confirm.ask(screen, "do.user_remove", "confirm.user_remove", users.name_of(subject)):

        async def destroy() -> None:
            await connection.call("subject.destroy", ref)

        screen.run(screen.t("job.user_remove", name=users.name_of(subject)), destroy())


async def let_in(connection: Connection, name: str, role: str) -> None:
    """Make an account a subject with a role; one that gets no role is none."""
    identifier = await connection.call("auth.get_subject_identifier", name)
    told = await connection.call("auth.get_subject_information_from_identifier", identifier)
    subject = {"subject_identifier": identifier, "other_config": {"subject-name": name, **told}}
    ref = await connection.call("subject.create", subject)
    async with undone_by(connection, "subject.destroy", ref):
        await connection.call("subject.add_to_roles", ref, await _role(connection, role))


async def give_role(connection: Connection, ref: str, before: list[str], role: str) -> None:
    """Give a role and take the others; what fails leaves the account with the rights that it had.

    The new one comes first: an account without any role would be thrown out.
    """
    new = await _role(connection, role)
    if role in before:
        await _take(connection, ref, users.lost(before, role))
        return
    await connection.call("subject.add_to_roles", ref, new)
    async with undone_by(connection, "subject.remove_from_roles", ref, new):
        await _take(connection, ref, users.lost(before, role))


async def _take(connection: Connection, ref: str, roles: list[str]) -> None:
    for one in roles:
        await connection.call("subject.remove_from_roles", ref, await _role(connection, one))


async def _role(connection: Connection, name: str) -> str:
    """A role's reference as the pool has it."""
    found = await connection.call("role.get_by_name_label", name)
    return str(found[0]) if found else users.ROLES[name]
