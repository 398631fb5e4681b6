"""What a guest reads as its maker and model: the keys that XenAPI knows, and what they may hold."""

from collections.abc import Mapping

from cardume.datamodel import errors

SETTABLE = frozenset(
    {
        *("bios-vendor", "bios-version"),
        *("system-manufacturer", "system-product-name", "system-version", "system-serial-number"),
        *("baseboard-manufacturer", "baseboard-product-name", "baseboard-version", "baseboard-serial-number"),
        *("baseboard-asset-tag", "baseboard-location-in-chassis", "enclosure-asset-tag"),
    }
)
LONGEST = 512


def assert_valid(strings: Mapping[str, str]) -> None:
    """Refuse keys that are not known, and values that are empty, too long or not plain text: INVALID_VALUE."""
    for key, value in strings.items():
        if key not in SETTABLE:
            raise errors.INVALID_VALUE(key, "unknown key")
        if not 0 < len(value) <= LONGEST:
            raise errors.INVALID_VALUE(key, f"{value} has length {len(value)}, not 1 to {LONGEST}")
        if not (value.isascii() and value.isprintable()):
            raise errors.INVALID_VALUE(key, f"{value} has characters that cannot be shown")
