"""A volume in the making, as the drivers of image files fill it."""

from dataclasses import dataclass

from cardume.hostops.storage.driver import Volume


@dataclass(slots=True)
class Making:
    """The name of the file to fill, and what came of it."""

    part: str
    made: Volume | None = None

    @property
    def volume(self) -> Volume:
        assert self.made is not None, "the block was left"
        return self.made
