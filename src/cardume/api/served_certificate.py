"""The certificate that a host serves: the one that an administrator installed, else the one that the host made.

An installed certificate, its key and its chain are one file, replaced whole: a crash leaves the old or the new one.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from cardume.api.tls import HostFiles, ensure_certificate, make_certificate, renew_if_due, server_context
from cardume.hostops.durable import sync_folder, write_text

log = structlog.get_logger(__name__)

_END = "-----END CERTIFICATE-----"


class ServedCertificate:
    """The `CertificateService` of messages/certificate.py. `context` is the listeners' TLS, always up to date."""

    def __init__(
        self, files: HostFiles, *, names: Callable[[], Sequence[str]], addresses: Callable[[], Sequence[str]]
    ) -> None:
        self._files = files
        self._installed = files.certificate.with_name("installed.pem")
        self._names, self._addresses = names, addresses
        self._lock = asyncio.Lock()
        ensure_certificate(files, names=names(), addresses=addresses())
        self._serving = files.certificate  # the file of what is served
        self._current = self._load()
        # A context keeps the keys of every kind that were ever loaded; a new one for each certificate serves one only.
        self.context = server_context(files)
        self.context.sni_callback = self._choose

    async def pem(self) -> str:
        """The certificate alone."""
        text = await asyncio.to_thread(self._serving.read_text)
        return text[: text.index(_END) + len(_END)] + "\n"

    async def install(self, certificate: str, key: str, chain: str) -> None:
        """Serve these from now on, and after every restart; ssl.SSLError, and nothing changed, when they don't work."""
        parts = (certificate, chain, key)
        text = "".join(f"{part.strip()}\n" for part in parts if part.strip())
        async with self._lock:
            self._current = await asyncio.to_thread(self._replace, text)

    async def reset(self) -> None:
        """Serve a new certificate of the host's own making."""
        async with self._lock:
            self._current = await asyncio.to_thread(self._make_own)

    async def renew_if_due(self) -> bool:
        """Make a new one when the host's own expires soon or lacks a name; True when what is served changed."""
        async with self._lock:
            names, addresses = self._names(), self._addresses()
            renewed = await asyncio.to_thread(renew_if_due, self._files, names=names, addresses=addresses)
            if not renewed or self._serving == self._installed:
                return False  # an installed one is its administrator's to renew
            self._current = await asyncio.to_thread(self._load)
            return True

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        if self._installed.exists():
            try:
                context = _context(self._installed)
                self._serving = self._installed
                return context
            except (ssl.SSLError, OSError):
                # A host that cannot be reached cannot be repaired: its own certificate is better than none.
                log.exception("installed_certificate_unusable", path=str(self._installed))
        self._serving = self._files.certificate
        return server_context(self._files)

    def _replace(self, text: str) -> ssl.SSLContext:
        draft = self._installed.with_name(".installed.pem.new")
        try:
            write_text(draft, text, mode=0o600)
            context = _context(draft)
            draft.replace(self._installed)
            self._serving = self._installed
            sync_folder(self._installed.parent)
        finally:
            draft.unlink(missing_ok=True)
        return context

    def _make_own(self) -> ssl.SSLContext:
        make_certificate(self._files, self._names(), self._addresses())
        self._installed.unlink(missing_ok=True)
        sync_folder(self._installed.parent)
        return self._load()


def _context(file: Path) -> ssl.SSLContext:
    """The TLS settings of a listener with what one file holds."""
    return server_context(HostFiles(file, file))
