"""Values of the hosts' interfaces go over the channel and come back the same."""

from ipaddress import ip_address, ip_interface
from typing import Any

import pytest

from cardume.channel.frames import pack, unpack
from cardume.channel.values import BadValue, dump, load
from cardume.hostops.guests.guest import Disk, DiskSource, FileSource, GuestSpec, NBDSource, Nic
from cardume.hostops.network.networkd import Addressing, Dhcp, NoAddress, Static

SPEC = GuestSpec(
    "uuid",
    "nome çedilha",
    64 << 20,
    2,
    1,
    disks=(Disk("0", FileSource("/a", "qcow2"), boot_index=1), Disk("1", NBDSource("/s", "e")), Disk("3", None)),
    nics=(Nic("0", "02:00:00:00:00:01", "xenbr0"),),
    platform={"a": "b"},
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (GuestSpec, SPEC),
        (bytes, bytes(range(256))),
        (frozenset[str], frozenset({"a", "b"})),
        (tuple[tuple[str, int], ...], (("a", 1), ("b", 2))),
        (Addressing, Static((ip_interface("10.0.0.1/24"),), (ip_address("10.0.0.254"),))),
        (Addressing, Dhcp(None)),
        (Addressing, NoAddress()),
        (float | None, 1.5),
        (float | None, None),
    ],
)
def test_what_comes_out_is_what_went_in(kind: Any, value: Any) -> None:
    assert load(kind, unpack(pack({"it": dump(value)}))["it"]) == value


@pytest.mark.parametrize(
    ("kind", "given", "where"),
    [
        (int, "1", "value"),
        (int, True, "value"),
        (bytes, "text", "value"),
        (DiskSource, {"@": "GuestSpec"}, "FileSource"),
        (FileSource, {"@": "FileSource", "path": "/a"}, "has the fields path, format"),
        (FileSource, {"@": "FileSource", "path": "/a", "format": 1}, "value.format"),
        (tuple[int, ...], [1, "x"], r"value\[1\]"),
    ],
)
def test_anything_else_is_refused_with_the_place_where_it_stands(kind: Any, given: Any, where: str) -> None:
    with pytest.raises(BadValue, match=where):
        load(kind, given)
