"""Every text of the walk, in English and in Brazilian Portuguese, and numbers as each language writes them."""

import time
from collections.abc import Mapping
from enum import StrEnum

from cardume.lab.walkthrough.findings import Told, Value
from cardume.lab.walkthrough.texts.en import ENGLISH
from cardume.lab.walkthrough.texts.pt import PORTUGUESE


class Language(StrEnum):
    """What the walk speaks."""

    EN = "en"
    PT = "pt"

    @property
    def html(self) -> str:
        """As the `lang` of a page names it."""
        return "pt-BR" if self is Language.PT else "en"


CATALOGUES: Mapping[Language, Mapping[str, str]] = {Language.EN: ENGLISH, Language.PT: PORTUGUESE}


class Words:
    """The catalogue of a language: `words("key", name=…)` is the sentence."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = CATALOGUES[language]

    def __call__(self, key: str, /, **values: Value) -> str:
        return self._texts[key].format(**{name: self._written(value) for name, value in values.items()})

    def say(self, told: Told) -> str:
        return self(told.key, **told.values)

    def find(self, key: str) -> str | None:
        """The text of a key, if there is one."""
        return self._texts.get(key)

    def number(self, value: float) -> str:
        """A measured number: two digits after the mark below ten, one above."""
        text = f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
        return text.replace(".", ",") if self.language is Language.PT else text

    def moment(self, at_s: float) -> str:
        """A moment on this machine's clock."""
        layout = "%d/%m/%Y %H:%M:%S" if self.language is Language.PT else "%Y-%m-%d %H:%M:%S"
        return time.strftime(layout, time.localtime(at_s))

    def _written(self, value: Value) -> str:
        match value:
            case Told():
                return self.say(value)
            case float():
                return self.number(value)
            case _:
                return str(value)
