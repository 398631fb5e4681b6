"""The report of a walk: Markdown with its graphs beside it, and one HTML file with everything in it."""

from collections.abc import Mapping, Sequence
from html import escape

from cardume.lab.walkthrough.findings import Walk, Walked
from cardume.lab.walkthrough.graph import ping_graph
from cardume.lab.walkthrough.telling import alert_body, alert_cells, ping_lines
from cardume.lab.walkthrough.texts import Words

MARKDOWN, PAGE = "report.md", "report.html"
_STYLE = """
body{font:16px/1.5 sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#223}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccd;padding:.3rem .6rem;text-align:left}
pre{background:#f3f4f8;padding:.6rem;white-space:pre-wrap}svg{max-width:100%;height:auto}
.yes{color:#176b2c}.no{color:#b00020;font-weight:bold}.why{color:#556}
"""


def report_files(walk: Walk, words: Words) -> Mapping[str, str]:
    """The report's files by their names."""
    graphs = {
        f"pings-{step.label.replace('.', '-')}.svg": ping_graph(step.finding.watched, words)
        for step in walk.steps
        if step.finding.watched is not None
    }
    return {
        MARKDOWN: _markdown(walk, words, graphs),
        PAGE: _html(walk, words),
        **{name: graph for name, graph in graphs.items() if graph},
    }


def summary_lines(walk: Walk, words: Words) -> list[str]:
    """How the walk ended: a sentence, and one for each thing that was not as expected."""
    count = len(walk.expectations)
    if walk.held:
        return [words("end.held", count=count, steps=len(walk.steps), took_s=walk.took_s)]
    lines = [words("end.broken", broken=len(walk.broken), count=count)] if walk.broken else []
    lines += [f"{step.label}: {words.say(each.told)}" for step, each in walk.broken]
    lines += [f"{step.label}: {words('failed', reason=step.failure)}" for step in walk.steps if step.failure]
    if walk.failure is not None:
        lines.append(words("end.failed", reason=walk.failure))
    return lines or [words("end.nothing")]


def _markdown(walk: Walk, words: Words, graphs: Mapping[str, str]) -> str:
    lines = [f"# {words('title', lab=walk.lab)}", "", words("intro"), ""]
    lines += _table(("", ""), _about(walk, words))
    lines += [f"## {words('report.summary')}", ""]
    lines += _table(
        tuple(words(f"report.{key}") for key in ("step", "expected", "outcome")),
        [(step.label, words.say(each.told), _outcome(each.held, words)) for step, each in walk.expectations],
    )
    section = 0
    for step in walk.steps:
        if step.section != section:
            section = step.section
            lines += [f"## {section}. {words(f'section.{section}.title')}", "", words(f"section.{section}.why"), ""]
        lines += [f"### {step.label} {words(f'{step.key}.title')}", "", words(f"{step.key}.why"), ""]
        lines += _step_markdown(step, words, graphs)
    return "\n".join(lines)


def _step_markdown(step: Walked, words: Words, graphs: Mapping[str, str]) -> list[str]:
    finding = step.finding
    lines = [f"- {words.say(fact)}" for fact in finding.facts]
    lines += [f"- {'✓' if each.held else '✗'} {words.say(each.told)}" for each in finding.expectations]
    lines += [f"- {words('took', took_s=step.took_s)}", ""]
    if finding.watched is not None:
        lines += ["```", *ping_lines(finding.watched, words), "```", ""]
        name = f"pings-{step.label.replace('.', '-')}.svg"
        if graphs.get(name):
            lines += [f"![{words('report.graph')}]({name})", ""]
    if finding.alerts:
        heads = tuple(words(f"alerts.{key}") for key in ("message", "about", "date"))
        rows = [
            (f"**{message}**<br>{alert_body(alert, words)}", about, at)
            for alert in finding.alerts
            for message, about, at in [alert_cells(alert, words)]
        ]
        lines += _table(heads, rows)
    if step.failure is not None:
        lines += [f"**{words('failed', reason=step.failure)}**", ""]
    return lines


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (heads, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return [lines[0], "|" + "---|" * len(heads), *lines[1:], ""]


def _about(walk: Walk, words: Words) -> list[tuple[str, ...]]:
    return [
        (words("report.when"), words.moment(walk.began_s)),
        (words("report.took"), f"{words.number(walk.took_s)} s"),
        (words("report.lab"), walk.lab),
        (words("report.profile"), walk.profile),
        (words("report.result"), " ".join(summary_lines(walk, words))),
    ]


def _outcome(held: bool, words: Words) -> str:
    return f"✓ {words('report.yes')}" if held else f"✗ {words('report.no')}"


def _html(walk: Walk, words: Words) -> str:
    parts = [f"<h1>{escape(words('title', lab=walk.lab))}</h1><p>{escape(words('intro'))}</p>"]
    parts.append(_rows((), _about(walk, words)))
    parts.append(f"<h2>{escape(words('report.summary'))}</h2>")
    heads = tuple(words(f"report.{key}") for key in ("step", "expected", "outcome"))
    parts.append(f"<table><tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>")
    for step, each in walk.expectations:
        kind = "yes" if each.held else "no"
        parts.append(
            f'<tr><td><a href="#s{step.label}">{step.label}</a></td><td>{escape(words.say(each.told))}</td>'
            f'<td class="{kind}">{escape(_outcome(each.held, words))}</td></tr>'
        )
    parts.append("</table>")
    section = 0
    for step in walk.steps:
        if step.section != section:
            section = step.section
            parts.append(f"<h2>{section}. {escape(words(f'section.{section}.title'))}</h2>")
            parts.append(f"<p>{escape(words(f'section.{section}.why'))}</p>")
        parts.append(_step_html(step, words))
    language, title = words.language.html, escape(words("title", lab=walk.lab))
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _step_html(step: Walked, words: Words) -> str:
    finding = step.finding
    parts = [f'<h3 id="s{step.label}">{step.label} {escape(words(f"{step.key}.title"))}</h3>']
    parts.append(f'<p class="why">{escape(words(f"{step.key}.why"))}</p><ul>')
    parts += [f"<li>{escape(words.say(fact))}</li>" for fact in finding.facts]
    parts += [
        f'<li class="{"yes" if each.held else "no"}">{"✓" if each.held else "✗"} {escape(words.say(each.told))}</li>'
        for each in finding.expectations
    ]
    parts.append(f"<li>{escape(words('took', took_s=step.took_s))}</li></ul>")
    if finding.watched is not None:
        parts.append(f"<pre>{escape(chr(10).join(ping_lines(finding.watched, words)))}</pre>")
        parts.append(ping_graph(finding.watched, words))
    if finding.alerts:
        heads = tuple(words(f"alerts.{key}") for key in ("message", "about", "date"))
        rows = [(*alert_cells(alert, words), alert_body(alert, words)) for alert in finding.alerts]
        parts.append(_rows((*heads, ""), rows))
    if step.failure is not None:
        parts.append(f'<p class="no">{escape(words("failed", reason=step.failure))}</p>')
    return "".join(parts)


def _rows(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    top = f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>" if heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{top}{body}</table>"
