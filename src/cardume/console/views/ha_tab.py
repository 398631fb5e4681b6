"""The tab HA of a pool as HTML; what only the server can compute is asked for while the tab is open."""

from html import escape as esc
from typing import TYPE_CHECKING

from cardume.console.connections.connection import Connection, State
from cardume.console.presenters.ha import Finding, ha_tab
from cardume.console.presenters.ha_settings import BEST_EFFORT, RESTART
from cardume.console.presenters.sources import Source
from cardume.console.views.markup import shape, table

if TYPE_CHECKING:
    from cardume.console.views.screen import Screen


def page(screen: "Screen", source: Source) -> str:
    """The tab as it is known now."""
    t, connection = screen.t, screen.workspace.find(source.uuid)
    if connection is None:
        return ""
    if source.pool is not None and source.pool["ha_enabled"]:
        _keep_asking(screen, connection, source)
    tab = ha_tab(source, screen.plans.newest(connection), t)
    listed = "".join(map(_finding, tab.findings))
    health = f'<section><h2>{esc(t("ha.health"))}</h2><ul class="findings">{listed}</ul></section>'
    return f'<div class="ha">{health}{"".join(map(table, tab.tables))}</div>'


def _finding(one: Finding) -> str:
    way = f'<span class="note">{esc(one.way_out)}</span>' if one.way_out else ""
    return f'<li>{shape(one.tone)}<span class="text">{esc(one.text)}{way}</span></li>'


def _keep_asking(screen: "Screen", connection: Connection, source: Source) -> None:
    if connection.state is not State.CONNECTED or not screen.plans.is_due(connection):
        return
    vms = source.vms()
    protected = [ref for ref, vm in vms if vm["ha_restart_priority"] == RESTART]
    hopeful = [ref for ref, vm in vms if vm["ha_restart_priority"] == BEST_EFFORT]

    async def ask() -> None:
        await screen.plans.ask(connection, protected, hopeful)
        screen.workspace.measured += 1  # every screen looks again; the tree is as it was

    screen.workspace.spawn(ask())
