"""`cardume console`: serve the web console."""

import ipaddress
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_PORT = 8443


def console(
    listen: Annotated[str, typer.Option(metavar="ADDRESS", help="Where browsers reach it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT")] = DEFAULT_PORT,
    server: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A server to log in to; only those named, any when none is. Repeatable."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Its own files. [default: ~/.local/share/cardume-console]")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="A certificate (PEM) to show.")] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's key (PEM).")] = None,
) -> None:
    """Serve the web console over HTTPS until interrupted. Needs the extra `console` to be installed."""
    try:
        import uvicorn

        from cardume.console.web import Settings, make_app
    except ModuleNotFoundError as missing:
        print(f"cardume console: {missing.name} is missing: pip install 'cardume[console]'", file=sys.stderr)
        raise typer.Exit(1) from None
    from cardume.console.certificate import ensure_certificate

    folder = state or default_state()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if certificate is None or key is None:
        names = () if ipaddress_or_none(listen) is None or listen in ("0.0.0.0", "::") else (listen,)
        certificate, key = ensure_certificate(folder, names)
    app = make_app(Settings(folder, tuple(server or ())))
    print(f"The console is at https://{listen}:{port}", flush=True)
    uvicorn.run(
        app,
        host=listen,
        port=port,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )


def default_state() -> Path:
    """Where the console keeps its files, as the system's settings for data say."""
    home = os.environ.get("STATE_DIRECTORY") or os.environ.get("XDG_DATA_HOME")
    base = Path(home) if home else Path.home() / ".local/share"
    return base if "STATE_DIRECTORY" in os.environ else base / "cardume-console"


def ipaddress_or_none(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a text is."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
