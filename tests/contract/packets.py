"""Packets as a guest sends them: who it is by ARP, and its wish for an address by DHCP."""

import struct
from ipaddress import IPv4Address

MAC = "52:54:00:12:34:56"


def arp(address: str, mac: str = MAC, operation: int = 1) -> bytes:
    sender = bytes.fromhex(mac.replace(":", "")) + IPv4Address(address).packed
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + sender + bytes(6) + IPv4Address("10.0.0.1").packed


def dhcp(kind: int, *, given: str = "0.0.0.0", has: str = "0.0.0.0", asks: str = "", ports: tuple[int, int]) -> bytes:
    fixed = struct.pack(">BBBBIHH", 1 if ports[0] == 68 else 2, 1, 6, 0, 7, 0, 0)
    addresses = IPv4Address(has).packed + IPv4Address(given).packed + bytes(8)
    message = fixed + addresses + bytes.fromhex(MAC.replace(":", "")).ljust(16, b"\0") + bytes(192)
    options = b"\0\x35\x01" + bytes([kind]) + (b"\x32\x04" + IPv4Address(asks).packed if asks else b"") + b"\xff"
    message += bytes.fromhex("63825363") + options
    udp = struct.pack(">HHHH", *ports, 8 + len(message), 0) + message
    return ip_header(20 + len(udp)) + udp


def ip_header(length: int, checksum: int = 0) -> bytes:
    header = struct.pack(">BBHHHBBH8x", 0x45, 0, length, 0, 0, 64, 17, checksum)
    if checksum:
        return header
    total = sum(struct.unpack(">10H", header))
    return ip_header(length, 0xFFFF & ~(total + (total >> 16)))  # a bridge may throw away what has none
