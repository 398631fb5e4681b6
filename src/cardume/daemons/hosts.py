"""The hands of the pool's hosts, found by reference."""

from typing import Any

from cardume.datamodel.refs import Ref
from cardume.hostops.hands import Hands


class OneHost:
    """The hands of a pool of one."""

    def __init__(self, host: Ref[Any], hands: Hands) -> None:
        self._host, self._hands = host, hands

    def hands(self, host: Ref[Any]) -> Hands:
        assert host == self._host, f"{host} is no host of this pool"
        return self._hands
