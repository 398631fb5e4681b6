"""Texts in one language: sentences by key, and numbers, sizes, times as that language writes them."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from cardume.console.text.en import ENGLISH
from cardume.console.text.pt import PORTUGUESE

CATALOGUES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "pt-BR": PORTUGUESE}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


class Texts:
    """The catalogue of a language. `texts("key", name=…)` is the sentence; an unknown key is a mistake of ours."""

    def __init__(self, language: str) -> None:
        self.language = language if language in CATALOGUES else "en"
        self._texts = CATALOGUES[self.language]

    def __call__(self, key: str, /, **values: object) -> str:
        return self._texts[key].format(**values)

    def has(self, key: str) -> bool:
        """True when there is a text of this key."""
        return key in self._texts

    def number(self, value: float, digits: int = 0) -> str:
        """A number with thousands grouped and the language's decimal mark."""
        text = f"{value:,.{digits}f}"
        return text.translate({ord(","): ".", ord("."): ","}) if self.language == "pt-BR" else text

    def size(self, size_bytes: float) -> str:
        """An amount of memory or disk: `12.3 GiB`."""
        value, unit = float(size_bytes), 0
        while value >= 1024 and unit < len(_UNITS) - 1:
            value, unit = value / 1024, unit + 1
        whole = unit == 0 or value >= 100 or value == int(value)
        return f"{self.number(value, 0 if whole else 1)} {_UNITS[unit]}"

    def share(self, part: float) -> str:
        """A share of one: `12%`."""
        return f"{self.number(part * 100)}%"

    def duration(self, seconds: float) -> str:
        """A length of time in its two largest units: `1 day 2 hours`."""
        left, parts = max(int(seconds), 0), []
        for key, unit in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
            count, left = divmod(left, unit)
            if count:
                parts.append(self(f"time.{key}s" if count != 1 else f"time.{key}", n=count))
        return " ".join(parts[:2]) or self("time.seconds", n=0)

    def moment(self, at: float) -> str:
        """A moment (seconds since the epoch) on this machine's clock."""
        there = time.localtime(at)
        return time.strftime("%d/%m/%Y %H:%M:%S" if self.language == "pt-BR" else "%Y-%m-%d %H:%M:%S", there)

    def clock(self, at: float) -> str:
        """The time of day of a moment."""
        return time.strftime("%H:%M:%S", time.localtime(at))


def choose_language(asked: str | None, accepted: str) -> str:
    """The language that a person chose, else the first of their browser's that there is, else English."""
    if asked is not None and asked in CATALOGUES:
        return asked
    for part in accepted.split(","):
        language = part.split(";")[0].strip().lower()
        if language.startswith("pt"):
            return "pt-BR"
        if language.startswith("en"):
            return "en"
    return "en"


def epoch_of(text: str) -> float:
    """The seconds since the epoch of a moment as XenAPI writes it; 0 when it is none."""
    plain = text.replace("-", "").replace("T", "").replace(":", "").rstrip("Z").split(".")[0]
    try:
        return datetime.strptime(plain, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
