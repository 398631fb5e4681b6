"""A change larger than one transaction: written down part by part, decided by one key, then carried out.

Before the deciding key is there, nothing has happened, and the parts mean nothing. From then on it has happened:
whoever opens the store carries out what is left, which does no harm twice. A copy of the store taken at any moment is
as good.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence

from cardume.pooldb.store import Delete, KeyValue, Operation, Put, StoreDamaged

JOURNAL = "/cardume/journal/"
DECISION = f"{JOURNAL}decided"


def part(number: int, operations: Iterable[Operation]) -> Put:
    """One part, to be written before the decision."""
    told = [[one.key, b64encode(one.value).decode() if isinstance(one, Put) else None] for one in operations]
    return Put(_key(number), json.dumps(told, separators=(",", ":")).encode())


def decision(parts: int) -> Put:
    """With this, the change of so many parts has happened."""
    return Put(DECISION, str(parts).encode())


def removal(parts: int) -> list[Operation]:
    """Forgets a journal that was carried out, or never decided."""
    return [Delete(DECISION), *(Delete(_key(number)) for number in range(parts))]


def left_to_do(items: Sequence[KeyValue]) -> list[list[Operation]] | None:
    """The parts of a decided change, given all the keys of a journal; None when nothing was decided. StoreDamaged."""
    found = {item.key: item.value for item in items}
    if DECISION not in found:
        return None
    try:
        return [_read(found[_key(number)]) for number in range(int(found[DECISION]))]
    except (KeyError, ValueError, TypeError) as error:
        raise StoreDamaged(f"the journal in the pool database cannot be read: {error!r}") from error


def _read(value: bytes) -> list[Operation]:
    return [Delete(key) if text is None else Put(key, b64decode(text)) for key, text in json.loads(value)]


def _key(number: int) -> str:
    return f"{JOURNAL}{number:05}"
