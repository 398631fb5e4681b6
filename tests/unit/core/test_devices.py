"""Device names, positions and hardware addresses."""

import pytest

from cardume.core import devices
from cardume.datamodel.errors import ApiError


@pytest.mark.parametrize(
    ("name", "position"),
    [("0", 0), ("3", 3), ("15", 15), ("xvda", 0), ("xvdp", 15), ("hdd", 3), ("sdb", 1), ("vdc", 2)],
)
def test_every_accepted_name_of_a_drive_means_a_position(name: str, position: int) -> None:
    assert devices.vbd_position(name) == position


@pytest.mark.parametrize("name", ["", "16", "-1", "100", "xvdq", "xvd", "xvdaa", "autodetect", "eth0", "٣", " 1"])
def test_anything_else_is_no_drive(name: str) -> None:
    with pytest.raises(ApiError) as refused:
        devices.vbd_position(name)
    assert refused.value.description == ["INVALID_DEVICE", name]


@pytest.mark.parametrize(("userdevice", "device"), [("0", "xvda"), ("1", "xvdb"), ("sdd", "xvdd"), ("15", "xvdp")])
def test_a_drive_is_named_as_clients_expect(userdevice: str, device: str) -> None:
    assert devices.device_name(userdevice) == device


@pytest.mark.parametrize(
    ("wanted", "taken", "is_cdrom", "chosen"),
    [
        ("autodetect", set(), False, "0"),
        ("autodetect", {"0", "1"}, False, "2"),
        ("autodetect", {"0", "1", "2"}, False, "4"),  # 3 is the CD's
        ("autodetect", {str(n) for n in range(16)} - {"3"}, False, "3"),  # until nothing else is left
        ("autodetect", {"0"}, True, "3"),
        ("autodetect", {"0", "3"}, True, "1"),
        ("autodetect", {"xvda", "strange"}, False, "1"),
        ("xvdb", {"0"}, False, "1"),
        ("03", set(), True, "3"),
    ],
)
def test_a_new_drive_gets_a_free_position(wanted: str, taken: set[str], is_cdrom: bool, chosen: str) -> None:
    assert devices.choose_userdevice(wanted, taken, is_cdrom=is_cdrom) == chosen


def test_a_position_that_is_taken_under_another_name_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        devices.choose_userdevice("hda", {"0"}, is_cdrom=False)
    assert refused.value.description == ["DEVICE_ALREADY_EXISTS", "hda"]


def test_a_seventeenth_drive_is_refused_with_the_number_that_is_allowed() -> None:
    with pytest.raises(ApiError) as refused:
        devices.choose_userdevice("autodetect", {str(n) for n in range(16)}, is_cdrom=False)
    assert refused.value.description == ["OPERATION_NOT_ALLOWED", "the VM has 16 drives, as many as it may"]


def test_allowed_drives_list_the_cds_position_last() -> None:
    taken = {str(n) for n in range(5, 16)} | {"xvdb"}
    assert devices.allowed_vbd_devices(taken) == ("0", "2", "4", "3")


@pytest.mark.parametrize(
    ("wanted", "taken", "chosen"), [("", set(), "0"), ("autodetect", {"0"}, "1"), ("6", {"0"}, "6"), ("05", set(), "5")]
)
def test_a_new_card_gets_a_free_number(wanted: str, taken: set[str], chosen: str) -> None:
    assert devices.choose_vif_device(wanted, taken) == chosen


@pytest.mark.parametrize(
    ("wanted", "taken", "description"),
    [
        ("7", set(), ["INVALID_DEVICE", "7"]),
        ("eth0", set(), ["INVALID_DEVICE", "eth0"]),
        ("1", {"1"}, ["DEVICE_ALREADY_EXISTS", "1"]),
        ("", {str(n) for n in range(7)}, ["OPERATION_NOT_ALLOWED", "the VM has 7 network cards, as many as it may"]),
    ],
)
def test_a_card_that_cannot_be_is_refused(wanted: str, taken: set[str], description: list[str]) -> None:
    with pytest.raises(ApiError) as refused:
        devices.choose_vif_device(wanted, taken)
    assert refused.value.description == description


def test_allowed_cards_are_those_not_taken() -> None:
    assert devices.allowed_vif_devices({"0", "2"}) == ("1", "3", "4", "5", "6")


@pytest.mark.parametrize("mac", ["02:00:00:00:00:01", "00:16:3e:AA:bb:cc"])
def test_a_single_cards_address_is_valid(mac: str) -> None:
    devices.assert_valid_mac(mac)


@pytest.mark.parametrize(
    "mac",
    [
        "",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "02-00-00-00-00-01",
        "02:00:00:00:00",
        "0g:" * 6,
    ],
)
def test_no_address_or_one_of_many_cards_is_refused(mac: str) -> None:
    with pytest.raises(ApiError) as refused:
        devices.assert_valid_mac(mac)
    assert refused.value.description == ["MAC_INVALID", mac]


def test_made_up_addresses_are_local_and_the_same_for_the_same_seed() -> None:
    macs = [devices.random_mac(f"seed {n}") for n in range(64)]
    assert macs == [devices.random_mac(f"seed {n}") for n in range(64)]
    assert len(set(macs)) == 64
    for mac in macs:
        devices.assert_valid_mac(mac)
        assert int(mac[:2], 16) & 0x03 == 0x02
