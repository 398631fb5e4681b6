"""Positions of a VM's drives and cards, the names that clients know them by, and hardware addresses."""

import hashlib
import re
from collections.abc import Set

from cardume.datamodel import errors

VBD_POSITIONS = range(16)
VIF_POSITIONS = range(7)
CD_POSITION = 3
"""Where XenServer's clients expect the CD drive."""

AUTODETECT = "autodetect"

_NUMBER = re.compile(r"\d{1,2}", re.ASCII)
_NAME = re.compile(r"(?:xvd|hd|sd|vd)([a-p])")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)


def vbd_position(userdevice: str) -> int:
    """The position that a drive's name means: `0`, `xvda`, `hda`, `sda` and `vda` are all the first.

    INVALID_DEVICE for anything else, `autodetect` included: choose_userdevice knows that.
    """
    if _NUMBER.fullmatch(userdevice) and int(userdevice) in VBD_POSITIONS:
        return int(userdevice)
    named = _NAME.fullmatch(userdevice)
    if named is None:
        raise errors.INVALID_DEVICE(userdevice)
    return ord(named[1]) - ord("a")


def device_name(userdevice: str) -> str:
    """`VBD.device` of a drive at this position, e.g. `xvda`; metrics and clients use this name."""
    return f"xvd{chr(ord('a') + vbd_position(userdevice))}"


def choose_userdevice(wanted: str, taken: Set[str], *, is_cdrom: bool) -> str:
    """The number, as text, at which a new drive goes; a position that is taken is refused."""
    if wanted == AUTODETECT:
        free = allowed_vbd_devices(taken)
        if not free:
            raise errors.OPERATION_NOT_ALLOWED(f"the VM has {len(VBD_POSITIONS)} drives, as many as it may")
        return str(CD_POSITION) if is_cdrom and str(CD_POSITION) in free else free[0]
    position = vbd_position(wanted)
    if position in _positions(taken):
        raise errors.DEVICE_ALREADY_EXISTS(wanted)
    return str(position)


def allowed_vbd_devices(taken: Set[str]) -> tuple[str, ...]:
    """The free positions for drives. The CD's comes last: clients that want a disk take the first of the list."""
    free = [position for position in VBD_POSITIONS if position not in _positions(taken)]
    return tuple(str(position) for position in sorted(free, key=lambda position: (position == CD_POSITION, position)))


def _positions(taken: Set[str]) -> frozenset[int]:
    # A drive may have been given a name that means no position; it then takes none.
    return frozenset(vbd_position(name) for name in taken if _NUMBER.fullmatch(name) or _NAME.fullmatch(name))


def choose_vif_device(wanted: str, taken: Set[str]) -> str:
    """The number, as text, of a new card; an empty text or `autodetect` takes the first free one."""
    if wanted in ("", AUTODETECT):
        free = allowed_vif_devices(taken)
        if not free:
            raise errors.OPERATION_NOT_ALLOWED(f"the VM has {len(VIF_POSITIONS)} network cards, as many as it may")
        return free[0]
    if not _NUMBER.fullmatch(wanted) or int(wanted) not in VIF_POSITIONS:
        raise errors.INVALID_DEVICE(wanted)
    if str(int(wanted)) in taken:
        raise errors.DEVICE_ALREADY_EXISTS(wanted)
    return str(int(wanted))


def allowed_vif_devices(taken: Set[str]) -> tuple[str, ...]:
    """The free numbers for cards."""
    return tuple(str(position) for position in VIF_POSITIONS if str(position) not in taken)


def assert_valid_mac(mac: str) -> None:
    """Refuse what is not the hardware address of a single card: MAC_INVALID."""
    if not _MAC.fullmatch(mac) or mac == "00:00:00:00:00:00" or int(mac[:2], 16) & 0x01:
        raise errors.MAC_INVALID(mac)


def random_mac(seed: str) -> str:
    """A locally administered hardware address; the same seed always gives the same one."""
    octets = bytearray(hashlib.sha256(seed.encode()).digest()[:6])
    octets[0] = octets[0] & 0xFC | 0x02  # locally administered, of a single card
    return octets.hex(":")
