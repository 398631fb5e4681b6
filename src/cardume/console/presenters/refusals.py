"""Errors in words: what went wrong and the way out. What the catalogue does not know is told as the server told it."""

from collections.abc import Sequence

from cardume.console.connections.failures import Refused, Unreachable, UntrustedKey
from cardume.console.text.catalogue import Texts


def explain(details: Sequence[str], t: Texts) -> str:
    """A XenAPI error as a sentence: code and parameters in, text out."""
    if not details:
        return t("error.unknown")
    key = f"error.{details[0]}"
    if t.has(key):
        given = {f"p{place}": value for place, value in enumerate(details[1:], 1)}
        return t(key, **{**{f"p{place}": "?" for place in range(1, 6)}, **given})
    rest = ", ".join(part for part in details[1:] if part and not part.startswith("OpaqueRef:"))
    return t("error.other", code=details[0], rest=rest) if rest else t("error.bare", code=details[0])


def explain_failure(failure: Exception, t: Texts) -> str:
    """Any failure to reach or move a server, as a sentence."""
    match failure:
        case Refused():
            return explain(failure.details, t)
        case UntrustedKey():
            return t("error.key_changed" if failure.known else "error.key_unknown", server=failure.address)
        case Unreachable():
            return t("error.unreachable", reason=str(failure))
    return t("error.unknown")
