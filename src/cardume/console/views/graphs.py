"""The tab Performance: graphs that the page's own module draws from what the console hands it."""

from html import escape as esc

from cardume.console.presenters.graphs import MORE, SPANS_S, USUAL
from cardume.console.presenters.places import Place
from cardume.console.text.catalogue import Texts

_MOVES = (("earlier", "◀"), ("later", "▶"), ("zoom_in", "+"), ("zoom_out", "−"))


def graphs(place: Place, t: Texts) -> str:
    """A frame for each graph, and what moves all of them in time; the module fetches and draws."""
    spans = "".join(f'<option value="{span}">{esc(t(f"graph.{span}"))}</option>' for span in SPANS_S)
    moves = "".join(
        f'<button type="button" class="btn" data-graph="{move}" data-key="graph-{move}" title="{esc(t(f"graph.{move}"))}" '
        f'aria-label="{esc(t(f"graph.{move}"))}">{sign}</button>'
        for move, sign in _MOVES
    )
    tools = (
        f'<label>{esc(t("graph.span"))} <select data-graph="span" data-key="graph-span">{spans}</select></label>{moves}'
        f'<button type="button" class="btn" data-graph="now" data-key="graph-now" disabled>{esc(t("graph.now"))}</button>'
        f'<span class="range" role="status">{esc(t("graph.live"))}</span><span class="note">{esc(t("graph.how"))}</span>'
    )
    usual = "".join(_frame(kind, t) for kind in USUAL[place.kind])
    more = "".join(_frame(kind, t) for kind in MORE[place.kind])
    return (
        f'<cardume-graphs source="/view/history{esc(place.thing.path)}" locale="{t.language}" live="{esc(t("graph.live"))}">'
        f'<div class="tools">{tools}</div><div class="graphs">{usual}</div>'
        f'<details class="more"><summary>{esc(t("graph.more"))}</summary><div class="graphs">{more}</div></details>'
        "</cardume-graphs>"
    )


def _frame(kind: str, t: Texts) -> str:
    columns = "|".join(t(f"graph.{key}") for key in ("source", "latest", "least", "mean", "most"))
    return (
        f'<cardume-graph kind="{kind}" label="{esc(t(f"graph.{kind}"))}" nothing="{esc(t("graph.nothing"))}" '
        f'as-table="{esc(t("graph.table"))}" lines="{esc(t("graph.lines"))}" marks="{esc(t("graph.marks"))}" '
        f'columns="{esc(columns)}"></cardume-graph>'
    )
