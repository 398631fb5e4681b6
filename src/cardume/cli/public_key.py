"""The public key in a certificate, found with the standard library alone so that `xe` starts quickly."""

_SEQUENCE, _INTEGER, _VERSION = 0x30, 0x02, 0xA0
_BEFORE_KEY = (_INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE)  # serial, signature, issuer, validity, subject


def public_key_of(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, both as DER; ValueError when it is anything else.

    It is strict on purpose: were a strange encoding read otherwise here than by the TLS library, a server could show
    one key and prove another.
    """
    begins, ends = _content(certificate, 0, _SEQUENCE)
    if ends != len(certificate):
        raise ValueError("something follows the certificate")
    at, ends = _content(certificate, begins, _SEQUENCE)
    signed = certificate[:ends]
    tags = _BEFORE_KEY if signed[at : at + 1] == bytes((_INTEGER,)) else (_VERSION, *_BEFORE_KEY)
    for tag in tags:
        _, at = _content(signed, at, tag)
    _, ends = _content(signed, at, _SEQUENCE)
    return signed[at:ends]


def _content(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """Where the content of the element that begins at a place begins and ends."""
    head = data[at : at + 2]
    if len(head) < 2 or head[0] != tag:
        raise ValueError(f"no element of type {tag:#x} at {at}")
    begins, length = at + 2, head[1]
    if length >= 0x80:
        octets = data[begins : begins + length - 0x80]
        begins, length = begins + len(octets), int.from_bytes(octets)
        # The shortest form is the only one; 0x80 alone, a length told by a mark at the end, is none of DER's.
        if length < 0x80 or octets[0] == 0:
            raise ValueError(f"a length at {at} is not DER")
    if begins + length > len(data):
        raise ValueError(f"the element at {at} is cut off")
    return begins, begins + length
