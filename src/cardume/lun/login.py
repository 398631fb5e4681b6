"""Where a target is, and how one logs in to it."""

import ipaddress
from dataclasses import dataclass, field
from typing import Self

ISCSI_PORT = 3260
LONGEST_CHAP = 255  # bytes; libiscsi cuts what is longer, and says nothing


@dataclass(frozen=True, slots=True)
class Portal:
    """An address that targets are reached at: a number or a name."""

    address: str
    port: int = ISCSI_PORT

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The portal that a target tells of as `address:port,group`; ValueError when it cannot be read."""
        place = text.partition(",")[0]
        if place.startswith("["):
            address, _, port = place[1:].partition("]")
            port = port.removeprefix(":")
        elif place.count(":") > 1:
            address, port = place, ""
        else:
            address, _, port = place.partition(":")
        if not address:
            raise ValueError(f"{text!r} is no portal")
        return cls(address, int(port) if port else ISCSI_PORT)

    @property
    def is_numeric(self) -> bool:
        """It needs no look-up."""
        try:
            ipaddress.ip_address(self.address.partition("%")[0])
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Chap:
    """A name and its password, which is shown nowhere."""

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        for what, text in (("user", self.user), ("password", self.password)):
            if not text or "\0" in text or len(text.encode()) > LONGEST_CHAP:
                raise ValueError(f"a CHAP {what} has 1 to {LONGEST_CHAP} bytes, none of them zero")


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in: the initiator's IQN, its CHAP account, and the account by which the target proves itself."""

    initiator: str
    chap: Chap | None = None
    mutual: Chap | None = None

    def __post_init__(self) -> None:
        if not self.initiator or "\0" in self.initiator or len(self.initiator.encode()) > LONGEST_CHAP:
            raise ValueError(f"{self.initiator!r} is no initiator's name")
        if self.mutual is not None and self.chap is None:
            raise ValueError("a target proves itself only to an initiator that does: mutual CHAP needs CHAP")
