"""`cardume console`: serve the web console."""

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Any

import structlog
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
    unit: Annotated[
        bool, typer.Option("--unit", help="Print cardume-console.service for these options, and end.")
    ] = False,
) -> None:
    """Serve the web console over HTTPS until interrupted. Needs the extra `console` to be installed."""
    if (certificate is None) != (key is None):
        print("cardume console: a certificate and its key belong together: give both or neither", file=sys.stderr)
        raise typer.Exit(2)
    if unit:
        from cardume.console.unit import unit_text

        if state is not None:
            print("cardume console: a service has a folder of its own: --unit takes no --state", file=sys.stderr)
            raise typer.Exit(2)
        print(unit_text(listen, port, server or (), certificate, key), end="")
        return
    try:
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
    configure_logging()
    serve(make_app(Settings(folder, tuple(server or ()))), listen, port, certificate, key)


def configure_logging() -> None:
    """Events with keys, one line each, to standard error; tracebacks without the values in them: some are passwords."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["level", "event"], bool_as_flag=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def serve(app: Any, listen: str, port: int, certificate: Path, key: Path) -> None:
    """Serve until interrupted; the address is printed once it is listened on."""
    import uvicorn

    with bound(listen, port) as listening:
        print(f"The console is at https://{address_of(listening)}", flush=True)
        config = uvicorn.Config(
            app,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        uvicorn.Server(config).run(sockets=[listening])


def bound(listen: str, port: int) -> socket.socket:
    """A socket on an address and port; a sentence and status 1 when it cannot be had."""
    try:
        family = socket.getaddrinfo(listen, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((listen, port))
        made.listen()  # who comes before the console is ready waits, and is not refused
    except OSError as error:
        print(f"cardume console: {listen}:{port} cannot be listened on: {error.strerror}", file=sys.stderr)
        raise typer.Exit(1) from None
    return made


def address_of(listening: socket.socket) -> str:
    """Where a socket is, as a browser's address says it."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
