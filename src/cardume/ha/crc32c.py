"""CRC-32C (Castagnoli), the check of iSCSI, ext4 and ours: a sector that was half written or never ours is noticed."""

_POLYNOMIAL = 0x82F6_3B78


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(_entry(byte) for byte in range(256))


def crc32c(data: bytes | memoryview) -> int:
    """The checksum of the data."""
    crc = 0xFFFF_FFFF
    table = _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFF_FFFF
