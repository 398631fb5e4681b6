"""Presenters' values as HTML. Everything that comes from outside is escaped here, and nowhere else."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape as esc

from cardume.console.presenters.actions import Action
from cardume.console.presenters.states import Badge
from cardume.console.presenters.tables import Block, Cell, Facts, RowAct, Table
from cardume.console.text.catalogue import Texts

_SHAPES = {"ok": "●", "warn": "▲", "error": "■", "info": "◆", "off": "○"}


def icon(name: str) -> str:
    """An icon of our own set."""
    return f'<svg class="icon" aria-hidden="true"><use href="/static/icons.svg#{esc(name)}"></use></svg>'


def shape(tone: str) -> str:
    """The shape that stands for a tone, so that colour is never alone."""
    return f'<span class="tone {esc(tone)}" aria-hidden="true">{_SHAPES[tone]}</span>' if tone in _SHAPES else ""


def badge(state: Badge) -> str:
    """A state as shape, colour and word."""
    return f'<span class="badge {esc(state.tone)}">{shape(state.tone)} {esc(state.text)}</span>'


def link(text: str, path: str) -> str:
    """A link within the console."""
    return f'<a href="{esc(path)}">{esc(text)}</a>' if path else esc(text)


def blocks(parts: Sequence[Block]) -> str:
    """The content of a tab."""
    return "".join(table(part) if isinstance(part, Table) else facts(part) for part in parts)


def facts(group: Facts) -> str:
    """A heading with what there is to know under it; lines without a value are left out."""
    lines = "".join(
        f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>"
        for name, value in group.lines
        if value not in ("", None)
    )
    return f'<section class="facts"><h2>{esc(group.title)}</h2><dl>{lines}</dl></section>' if lines else ""


@dataclass(frozen=True)
class Picks:
    """The rows of a table that are ticked, and what a row's box is called."""

    picked: Collection[str]
    label: str


def table(content: Table, picks: Picks | None = None) -> str:
    """A table with real headings, or a sentence when it has no rows; with boxes where rows can be ticked."""
    heading = f"<h2>{esc(content.title)}</h2>" if content.title else ""
    if not content.rows:
        return f'<section>{heading}<p class="empty">{esc(content.empty)}</p></section>'
    head = "".join(f'<th scope="col"{_right(content, n)}>{esc(name)}</th>' for n, name in enumerate(content.columns))
    body = "".join(f"<tr>{_row(content, row, picks)}</tr>" for row in content.rows)
    label = esc(content.title or content.columns[0])
    note = f'<p class="note">{esc(content.note)}</p>' if content.note else ""
    return (
        f'<section>{heading}<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{note}</section>"
    )


def _row(content: Table, row: Sequence[Cell], picks: Picks | None) -> str:
    first, *rest = row
    box = _box(first, picks) if picks and first.pick else ""
    cells = "".join(
        f"<td{_right(content, number)}>{_cell(cell) if not cell.acts else _row_acts(cell, first.text)}</td>"
        for number, cell in enumerate(rest, 1)
    )
    return f'<th scope="row">{_cell(first, box)}</th>{cells}'


def _right(content: Table, number: int) -> str:
    return ' class="number"' if number in content.numbers else ""


def _box(cell: Cell, picks: Picks) -> str:
    ticked = " checked" if cell.pick in picks.picked else ""
    return (
        f'<input type="checkbox" data-change="choose" data-ref="{esc(cell.pick)}" data-key="choose-{esc(cell.pick)}" '
        f'aria-label="{esc(picks.label)}: {esc(cell.text)}"{ticked}>'
    )


def _cell(cell: Cell, box: str = "") -> str:
    mark = (icon(cell.icon) if cell.icon else "") + shape(cell.tone)
    text = link(cell.text, cell.href)
    note = f'<span class="note">{esc(cell.note)}</span>' if cell.note else ""
    bar = ""
    if cell.fill is not None:
        share = min(max(cell.fill, 0.0), 1.0)
        tone = "high" if share > 0.9 else ""
        bar = f'<span class="bar {tone}" aria-hidden="true"><span style="width:{share * 100:.1f}%"></span></span>'
    inside = f'{box}{mark}<span class="text">{text}{note}</span>{bar}'
    indent = f' style="padding-left:{cell.indent * 20}px"' if cell.indent else ""
    return f'<span class="cell"{indent}>{inside}</span>'


def _row_acts(cell: Cell, row: str) -> str:
    """Buttons that say for screen readers which row they are of."""
    return '<span class="row-acts">' + "".join(_row_button(act, row) for act in cell.acts) + "</span>"


def _row_button(act: RowAct, row: str) -> str:
    tone = "danger" if act.is_danger else ""
    return (
        f'<button type="button" class="btn {tone}" data-act="{esc(act.key)}" data-ref="{esc(act.ref)}" '
        f'data-key="{esc(act.key)}-{esc(act.ref)}" aria-label="{esc(act.label)}: {esc(row)}"{_off(act.why_not)}>{esc(act.label)}</button>'
    )


def _off(why_not: str) -> str:
    """What a button that cannot be pressed is marked with: it stays reachable and says why."""
    return f' aria-disabled="true" title="{esc(why_not)}" data-why="{esc(why_not)}"' if why_not else ""


def action_bar(actions: Sequence[Action], t: Texts) -> str:
    """Buttons; one that cannot be pressed stays reachable and says why."""
    return (
        f'<div class="actions" role="group" aria-label="{esc(t("ui.actions"))}">{"".join(map(button, actions))}</div>'
    )


def button(action: Action) -> str:
    """One action as a button."""
    tone = "danger" if action.is_danger else "main" if action.is_main else ""
    return (
        f'<button type="button" class="btn {tone}" data-act="{esc(action.key)}" data-key="act-{esc(action.key)}"{_off(action.why_not)}>'
        f"{esc(action.label)}</button>"
    )


def tab_bar(tabs: Sequence[tuple[str, str]], here: str, t: Texts) -> str:
    """The tabs of an object, each with an address of its own."""
    links = "".join(
        f'<a href="{esc(path)}" data-key="tab-{esc(key)}"{" aria-current=page" if key == here else ""}>'
        f"{esc(t(f'tab.{key}'))}</a>"
        for key, path in tabs
    )
    return f'<nav class="tabs" aria-label="{esc(t("ui.tabs"))}">{links}</nav>'


def acts_text(title: str, lines: Sequence[str]) -> str:
    """The commands that a dialog stands for, to be read and copied."""
    return f'<details open><summary>{esc(title)}</summary><div class="call">{esc(chr(10).join(lines))}</div></details>'
