"""What can go wrong with a LUN. No text of these holds a password."""

_KEYS = {
    0x1: "recovered error",
    0x2: "not ready",
    0x3: "medium error",
    0x4: "hardware error",
    0x5: "illegal request",
    0x6: "unit attention",
    0x7: "data protect",
    0x8: "blank check",
    0xA: "copy aborted",
    0xB: "aborted command",
    0xD: "volume overflow",
    0xE: "miscompare",
}
_REASONS = {
    (0x04, 0x00): "not ready, no cause told",
    (0x04, 0x01): "becoming ready",
    (0x04, 0x03): "an operator has to act",
    (0x0C, 0x00): "write error",
    (0x11, 0x00): "unrecovered read error",
    (0x20, 0x00): "the target does not know this command",
    (0x21, 0x00): "address outside the LUN",
    (0x24, 0x00): "the target does not take this form of the command",
    (0x25, 0x00): "no such LUN",
    (0x26, 0x00): "the target does not take these parameters",
    (0x27, 0x00): "write protected",
    (0x27, 0x07): "the target has no space left for this LUN",
    (0x29, 0x00): "the LUN was reset or its target started",
    (0x2A, 0x09): "the LUN's size has changed",
    (0x3A, 0x00): "no medium",
    (0x3F, 0x0E): "the target's LUNs have changed",
    (0x44, 0x00): "failure inside the target",
}

ILLEGAL_REQUEST = 0x5
UNIT_ATTENTION = 0x6


class LunError(Exception):
    """Base of every failure of a LUN."""


class LunUnreachable(LunError):
    """The LUN does not answer. What was being written may be on it, or not."""


class LunLoginRefused(LunError):
    """The target does not let this initiator in: CHAP is missing or wrong, or it is not allowed."""


class TargetNotFound(LunError):
    """The portal answers and has no such target, or hides it from this initiator."""


class LunNotFound(LunError):
    """The target has no such LUN."""


class AddressUnknown(LunError):
    """The portal's name does not resolve."""


class LunSense(LunError):
    """The LUN refused a command or failed at it; carries what it said."""

    def __init__(self, what: str, key: int, asc: int, ascq: int) -> None:
        reason = _REASONS.get((asc, ascq)) or _REASONS.get((asc, 0x00), "no text for this code")
        super().__init__(f"{what}: {_KEYS.get(key, f'sense key {key:#x}')}, {reason} ({key:x}/{asc:02x}/{ascq:02x})")
        self.key = key
        self.asc = asc
        self.ascq = ascq
