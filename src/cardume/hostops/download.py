"""Bytes from a URL, in pieces as they come: http and https alone, few redirects, an end when nothing moves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from cardume.hostops.errors import HostError

PIECE_BYTES = 256 * 1024
MOST_REDIRECTS = 5
CONNECT_S, SILENCE_S = 30.0, 120.0

Receive = Callable[[], Awaitable[bytes]]


class DownloadFailed(HostError):
    """The URL cannot be fetched; the message has no password of it."""


@asynccontextmanager
async def downloading(url: str) -> AsyncIterator[Receive]:
    """A function that gives the next bytes, empty at the end; also when the server breaks off in the middle."""
    address = parse(url)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
    headers = {"Accept-Encoding": "identity"}  # a compressed archive is recognised by its first bytes
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as http:
        try:
            answer = await http.get(address, headers=headers, max_redirects=MOST_REDIRECTS)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as fault:
            raise DownloadFailed(f"{_shown(address)}: {_reason(fault)}") from None
        async with answer:
            if answer.status != 200:
                raise DownloadFailed(f"{_shown(address)}: {answer.status} {answer.reason}")

            async def receive() -> bytes:
                try:
                    return await answer.content.read(PIECE_BYTES)
                except aiohttp.ClientPayloadError:
                    return b""  # whether that was all of it, the reader of the bytes sees
                except (aiohttp.ClientError, OSError, TimeoutError) as fault:
                    raise DownloadFailed(f"{_shown(address)}: {_reason(fault)}") from None

            yield receive


def parse(url: str) -> URL:
    """The URL; DownloadFailed when it is none of http or https."""
    try:
        address = URL(url)
    except (ValueError, TypeError):
        raise DownloadFailed("this is no URL") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise DownloadFailed("only http:// and https:// URLs are fetched")
    return address


def _shown(address: URL) -> str:
    """The URL without what may be secret."""
    return str(address.with_user(None).with_query(None).with_fragment(None))


def _reason(fault: BaseException) -> str:
    match fault:
        case aiohttp.TooManyRedirects():
            return f"more than {MOST_REDIRECTS} redirects"
        case aiohttp.ClientConnectorError():
            return "cannot connect"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return "redirected to what is no http:// or https:// URL"
        case TimeoutError():
            return "no answer in time"
    return type(fault).__name__
