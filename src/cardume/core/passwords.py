"""Passwords as they are kept: scrypt with a salt of each one's own, and its cost written beside it."""

import base64
import hashlib
import hmac
import os

_COST, _BLOCK, _PARALLEL = 2**14, 8, 1  # 16 MiB and some 40 ms: dear to guess, cheap to log in
_SCHEME = "scrypt"


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """The text to keep instead of a password: `scrypt$N$r$p$salt$hash`."""
    salt = os.urandom(16) if salt is None else salt
    derived = _derive(password, salt, _COST, _BLOCK, _PARALLEL)
    parts = (_SCHEME, str(_COST), str(_BLOCK), str(_PARALLEL), _encode(salt), _encode(derived))
    return "$".join(parts)


def verify_password(password: str, kept: str) -> bool:
    """True when a password is the one that was kept; False also for a text that is no kept password."""
    try:
        scheme, cost, block, parallel, salt, derived = kept.split("$")
        wanted = base64.b64decode(derived)
        if scheme != _SCHEME or not wanted:
            return False
        got = _derive(password, base64.b64decode(salt), int(cost), int(block), int(parallel))
    except ValueError:
        return False
    return hmac.compare_digest(got, wanted)


NOBODY = f"{_SCHEME}${_COST}${_BLOCK}${_PARALLEL}${'A' * 22}==${'A' * 43}="
"""Verified against when there is no such user, so that the answer takes as long as for one."""


def _derive(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    limit = 128 * cost * block * 2  # what scrypt needs, with room for its own bookkeeping
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=cost, r=block, p=parallel, maxmem=limit, dklen=32)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
