"""What is said while a pool does not answer: since when, who is asked, and what high availability does meanwhile."""

from cardume.console.presenters.refusals import explain_failure
from cardume.console.presenters.sources import Source
from cardume.console.text.catalogue import Texts

USUAL_S = {"fast": 15, "standard": 35, "lab": 60}
"""From the loss of a master until another answers, as a rule; of pools that do not tell, XenServer's."""
OTHERS_USUAL_S = 120


def banner(source: Source, t: Texts, now: float) -> str:
    """One sentence or several on a pool that does not answer."""
    why = explain_failure(source.failure, t) if source.failure else ""
    pool = source.pool
    if pool is None or not pool["ha_enabled"] or len(source.cache.all("host")) < 2:
        return t("ui.stale", pool=source.name, at=t.clock(source.told_at), why=why)
    master = source.cache.find("host", pool["master"])
    usual_s = USUAL_S.get(pool["ha_configuration"].get("profile", ""), OTHERS_USUAL_S)
    away_s = max(now - source.told_at, 0)
    others = [host["name_label"] for ref, host in source.hosts() if ref != pool["master"]]
    shown = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
    key = "ui.failover" if away_s <= usual_s else "ui.failover_long"
    return t(
        key,
        pool=source.name,
        master=master["name_label"] if master else "?",
        at=t.clock(source.told_at),
        usual=t.duration(usual_s),
        others=shown,
    )
