"""The log-in page: plain HTML, so that whoever is not logged in gets nothing of the toolkit."""

from html import escape as esc
from urllib.parse import urlencode

from cardume.console.connections.failures import UntrustedKey
from cardume.console.connections.keys import grouped
from cardume.console.text.catalogue import Texts


def login_page(
    t: Texts,
    *,
    servers: tuple[str, ...],
    server: str,
    username: str,
    next_path: str,
    error: str = "",
    untrusted: UntrustedKey | None = None,
    accepted: str = "",
) -> str:
    """The page; `untrusted` asks to accept a server's key, `servers` are the only ones to choose from when given."""
    alert = f'<p class="alert" role="alert">{esc(error)}</p>' if error else ""
    kept = urlencode({"next": next_path, "server": server, "username": username})
    return f"""<!doctype html>
<html lang="{t.language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{esc(t("login.title"))}</title><link rel="stylesheet" href="/static/console.css">
<link rel="icon" href="/static/favicon.svg"></head>
<body class="login"><main><form method="post" action="/login">
<h1><img src="/static/favicon.svg" alt="" width="28" height="28"> {esc(t("login.title"))}</h1>
<p>{esc(t("login.lead"))}</p>{alert}{_key(t, untrusted, accepted) if untrusted else ""}
<label for="server">{esc(t("ui.server"))}</label>{_server(servers, server)}
<label for="username">{esc(t("ui.username"))}</label>
<input id="username" name="username" required autocomplete="username" value="{esc(username)}">
<label for="password">{esc(t("ui.password"))}</label>
<input id="password" name="password" type="password" autocomplete="current-password" {"autofocus" if server else ""}>
<input type="hidden" name="next" value="{esc(next_path)}">
<div class="row"><button class="btn main" type="submit">{esc(t("ui.accept") if untrusted else t("ui.login"))}</button>
<span class="languages">{_language("en", "English", kept)}
{_language("pt-BR", "Português", kept)}</span></div>
</form></main></body></html>"""


def _language(language: str, name: str, kept: str) -> str:
    """A link to the page in another language, which keeps what was typed but for the password."""
    return f'<a href="{esc(f"/login?lang={language}&{kept}")}" lang="{language}">{name}</a>'


def _server(servers: tuple[str, ...], chosen: str) -> str:
    if not servers:
        return f'<input id="server" name="server" required autocomplete="off" value="{esc(chosen)}">'
    options = "".join(f"<option{' selected' if one == chosen else ''}>{esc(one)}</option>" for one in servers)
    return f'<select id="server" name="server">{options}</select>'


def _key(t: Texts, untrusted: UntrustedKey, accepted: str) -> str:
    known = untrusted.known
    all_accepted = ",".join(filter(None, (accepted, f"{untrusted.address}={untrusted.shown}")))
    text = t("login.key_changed" if known else "login.key", server=untrusted.address)
    before = f"<dt>{esc(t('login.key_known'))}</dt><dd>{grouped(known)}</dd>" if known else ""
    return (
        f'<section class="key" role="alert"><h2>{esc(t("login.key_title"))}</h2><p>{esc(text)}</p>'
        f"<dl>{before}<dt>{esc(t('login.key_shown'))}</dt><dd>{grouped(untrusted.shown)}</dd></dl>"
        f"<p>{esc(t('login.again'))}</p>"
        f'<input type="hidden" name="accept" value="{esc(all_accepted)}"></section>'
    )
