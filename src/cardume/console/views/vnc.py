"""The tab Console: the screen of a VM, by noVNC over the console's own socket."""

from html import escape as esc

from cardume.console.connections.cache import Record
from cardume.console.presenters.places import Place
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts


def console(source: Source, vm: Record, place: Place, t: Texts) -> str:
    """The screen while the VM runs, else a sentence that says what to do."""
    if vm["power_state"] not in ("Running", "Paused"):
        return f'<p class="empty">{esc(t("console.off"))}</p>'
    tools = "".join(
        f'<button type="button" class="btn" data-vnc="{key}">{esc(t(f"console.{key}"))}</button>'
        for key in ("ctrlaltdel", "clipboard", "fullscreen")
    )
    return (
        f'<div class="tools">{tools}<span class="note">{esc(t("console.leave"))}</span></div>'
        f'<cardume-vnc ticket="/view/ticket{esc(place.thing.path)}" connecting="{esc(t("console.connect"))}" '
        f'lost="{esc(t("console.lost"))}" clipboard="{esc(t("console.text"))}" give="{esc(t("console.give"))}" label="{esc(t("console.screen", name=vm["name_label"]))}"></cardume-vnc>'
    )
