"""Several VMs at once: ticking them in a list, and starting or stopping all of them."""

from html import escape as esc
from typing import TYPE_CHECKING, Any

from nicegui import ui

from cardume.console.presenters.bulk import OPERATIONS, bulk_actions, chosen_of, split
from cardume.console.views.forms import form
from cardume.console.views.markup import action_bar

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen

AT_ONCE = {"start": (False, False), "resume": (False, False)}  # nothing is interrupted: nobody has to be asked


def bar(screen: "Screen") -> str:
    """What can be done with the VMs that are ticked here; nothing while none is."""
    chosen = chosen_of(screen.sources, screen.chosen, screen.place)
    if not chosen:
        return ""
    t = screen.t
    told = f'<p class="note" role="status">{esc(t("bulk.chosen", n=len(chosen)))}</p>'
    return f'<div class="bulk">{told}{action_bar(bulk_actions(chosen, t), t)}</div>'


async def choose(screen: "Screen", args: dict[str, Any]) -> None:
    """Tick a VM, or take the tick away."""
    (screen.chosen.add if args.get("value") is True else screen.chosen.discard)(str(args.get("ref")))
    screen.refresh()


async def choose_none(screen: "Screen", _: dict[str, Any]) -> None:
    """Take all ticks away."""
    screen.chosen.clear()
    screen.refresh()


async def act(screen: "Screen", key: str) -> None:
    """Do something with every VM ticked here that it is for, after naming all of them when it interrupts."""
    t, chosen = screen.t, chosen_of(screen.sources, screen.chosen, screen.place)
    parts = split(chosen, key, t)
    if not parts.able:
        screen.tell(t("bulk.none_able"), failed=True)
        return
    if key not in AT_ONCE:
        with form(screen, t(f"do.{key}"), t("bulk.do", do=t(f"do.{key}"), n=len(parts.able)), is_danger=True) as asked:
            ui.label(t(f"bulk.lead.{key}"))
            _list([one.name for one in parts.able])
            if parts.left_out:
                ui.label(t("bulk.left_out")).classes("note")
                _list([f"{name}: {why}" for name, why in parts.left_out])
        if not await asked[0].is_filled():
            return
    for one in parts.able:
        connection = screen.workspace.find(one.source.uuid)
        if connection is not None:
            title = t("job.vm", do=t(f"do.{key}"), name=one.name)
            screen.message(title, connection, f"VM.{key}", one.ref, *AT_ONCE.get(key, ()), place=one.path)
    screen.chosen.difference_update(one.path for one in chosen)
    screen.refresh()


def _list(lines: list[str]) -> None:
    items = "".join(f"<li>{esc(line)}</li>" for line in lines)
    ui.html(f'<ul class="many" tabindex="0">{items}</ul>', sanitize=False).classes("w-full")


ACTS = tuple(f"bulk_{key}" for key in OPERATIONS)
