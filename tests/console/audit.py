"""What axe-core finds wrong with a page for people who use it by ear, by key or with weak eyes."""

from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
_RUN = """() => axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]
}).then((found) => found.violations.map(({ id, impact, help, nodes }) => ({
  id, impact, help,
  nodes: nodes.map((node) => ({ html: node.html, at: node.target.join(" "), why: node.failureSummary }))
})))"""

EXCEPTIONS: dict[str, dict[str, str]] = {}
"""By rule and by what the element's address ends with: the reason why a finding stays."""


def findings(page: Page) -> Iterator[str]:
    """What is serious or critical on the page as it is now, but for what is listed as an exception."""
    violations: list[dict[str, Any]] = page.evaluate(_RUN)
    for violation in violations:
        if violation["impact"] not in SERIOUS:
            continue
        excepted = tuple(EXCEPTIONS.get(violation["id"], {}))
        for node in violation["nodes"]:
            if not (excepted and node["at"].endswith(excepted)):
                yield f"{violation['id']} ({violation['help']}): {node['html'][:160]}: {node['why'][:200]}"
