"""Whether a server is the one it was before: the key of its certificate is remembered at the first use.

A host signs its certificate itself or the pool does, so an authority that everybody knows is of no help. What is seen
first is believed, and everything after it must be the same: whoever steps in between later is noticed. It is the key
and not the certificate, because a host renews its certificate by itself, with the key it has.
"""

import os
import ssl
import sys
from pathlib import Path

from cardume.cli.arguments import Trust
from cardume.cli.failures import Plain, Unreachable
from cardume.cli.public_key import public_key_of


def tls_context(trust: Trust) -> ssl.SSLContext:
    """How a connection is encrypted, and checked as far as authorities can check it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trust.ca_file is not None:
        try:
            context.load_verify_locations(trust.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Plain(f"The certificates in {trust.ca_file} cannot be read: {error.strerror or error}.") from None
        return context
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def check_seen(connection: ssl.SSLSocket, name: str, trust: Trust) -> None:
    """Compare the key of a server's certificate with the one of its first use; remember it when this is the first."""
    if trust.known_servers is None:
        return
    certificate = connection.getpeercert(binary_form=True)
    assert certificate is not None, "a server of TLS shows one"
    from hashlib import sha256

    try:
        shown = sha256(public_key_of(certificate)).hexdigest()
    except ValueError:
        connection.close()
        raise Unreachable(f"{name} shows a certificate that cannot be read, and nothing was sent to it.") from None
    known = _read(trust.known_servers).get(name)
    if known is None:
        _remember(trust.known_servers, name, shown)
    elif known != shown:
        connection.close()
        address, _, port = name.rpartition(":")
        raise Unreachable(
            f"{name} shows another certificate than before, and nothing was sent to it. Either it was given a new one,"
            f" or somebody stands in between.\nKnown: SHA-256 {known}\nShown: SHA-256 {shown}\n"
            f"If the change was meant, forget the old one: xe server-forget -s {address.strip('[]')} -p {port}"
        )


def forget(path: Path, name: str) -> bool:
    """Forget the certificate of a server; False when none was known."""
    known = _read(path)
    if known.pop(name, None) is None:
        return False
    _write(path, known)
    return True


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise Plain(f"The list of known servers {path} cannot be read: {error.strerror}.") from None
    pairs = (line.split() for line in lines)
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _remember(path: Path, name: str, fingerprint: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One write of one line at the end: two programs that meet a server at once both get their line in.
        with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as file:
            file.write(f"{name} {fingerprint}\n")
    except OSError as error:
        # Scripts that run without a home go on as ssh does: unprotected, and told so.
        sys.stderr.write(f"Warning: the certificate of {name} cannot be remembered in {path}: {error.strerror}.\n")


def _write(path: Path, known: dict[str, str]) -> None:
    new = path.with_suffix(f".{os.getpid()}")
    try:
        new.write_text("".join(f"{name} {fingerprint}\n" for name, fingerprint in known.items()))
        new.replace(path)
    except OSError as error:
        raise Plain(f"The list of known servers {path} cannot be written: {error.strerror}.") from None
