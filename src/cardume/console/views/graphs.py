"""The tab Performance: graphs that the page's own module draws from what the console hands it."""

from html import escape as esc

from cardume.console.presenters.graphs import KINDS, SPANS_S
from cardume.console.presenters.places import Place
from cardume.console.text.catalogue import Texts


def graphs(place: Place, t: Texts) -> str:
    """A frame for each graph; the module fetches and draws."""
    spans = "".join(f'<option value="{span}">{esc(t(f"graph.{span}"))}</option>' for span in SPANS_S)
    frames = "".join(
        f'<cardume-graph kind="{kind}" source="/view/history{esc(place.thing.path)}" label="{esc(t(f"graph.{kind}"))}" '
        f'nothing="{esc(t("graph.nothing"))}" as-table="{esc(t("graph.table"))}" '
        f'columns="{esc("|".join(t(f"graph.{key}") for key in ("source", "latest", "least", "mean", "most")))}" '
        f'locale="{t.language}"></cardume-graph>'
        for kind in (KINDS if place.kind == "vm" else KINDS[:3])
    )
    tools = f'<label>{esc(t("graph.span"))} <select id="graph-span" data-key="graph-span">{spans}</select></label>'
    return f'<div class="tools">{tools}</div><div class="graphs">{frames}</div>'
