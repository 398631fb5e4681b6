"""Locations of NFS folders, and the listings of libnfs's programs."""

import pytest

from cardume.hostops.errors import StorageConfigError, StorageError
from cardume.hostops.storage.iso import LocalFolder, parse_config, volume_uuid
from cardume.hostops.storage.nfs import Listing, NfsFile, NfsFolder, parse_listing, parse_location

LISTING = """\
drwxr-xr-x  2     0     0         4096 dir.iso
-rw-r--r--  1     0     0     41943040 beta.iso
lrwxrwxrwx  1     0     0           11 link.iso
-rw-r--r--  1 65534    -2      3145728  with space, comma.ISO
-rwsr-xr-t  1     0     0 12345678901234 alpha.iso

243225792512 of 270553174016 bytes free.
"""


def test_a_listing_gives_the_regular_files_and_the_free_space() -> None:
    assert parse_listing(LISTING) == Listing(
        (
            NfsFile(" with space, comma.ISO", 3145728),
            NfsFile("alpha.iso", 12345678901234),
            NfsFile("beta.iso", 41943040),
        ),
        243225792512,
    )


def test_a_listing_that_is_not_understood_is_an_error_not_an_empty_library() -> None:
    with pytest.raises(StorageError, match="total 12"):
        parse_listing("total 12\n")


@pytest.mark.parametrize(
    ("location", "folder", "url"),
    [
        ("10.147.1.10:/mnt/iso", NfsFolder("10.147.1.10", "/mnt/iso"), "nfs://10.147.1.10/mnt/iso"),
        ("nas.example.org:/", NfsFolder("nas.example.org", "/"), "nfs://nas.example.org/"),
        ("nas:/vol 1/ação/", NfsFolder("nas", "/vol 1/ação"), "nfs://nas/vol 1/ação"),
    ],
)
def test_a_location_is_a_server_and_a_path(location: str, folder: NfsFolder, url: str) -> None:
    assert parse_location(location) == folder
    assert folder.url == url


@pytest.mark.parametrize(
    "location",
    [
        *(
            "",
            "nas",
            "nas:",
            "nas:iso",
            ":/iso",
            "-o:/iso",
            "na s:/iso",
            "user@nas:/iso",
            "nas:/iso?uid=0",
            "nas:/iso#x",
        ),
        *("nas:/iso%2e", "nas:/a/../b", "nas:/iso\n", "nas\n:/iso", "nas/x:/iso", "nas?x=1:/iso", "nas:2049:/iso"),
        *("[fe80::1]:/iso", "nas:/a\\b", "nas.:/iso"),
    ],
)
def test_a_location_that_could_mean_more_is_refused(location: str) -> None:
    with pytest.raises(StorageConfigError) as refused:
        parse_location(location)
    assert refused.value.key == "location"


@pytest.mark.parametrize(
    ("config", "meaning"),
    [
        ({"location": "nas:/iso"}, NfsFolder("nas", "/iso")),
        ({"location": "nas:/iso", "type": "nfs_iso", "nfsversion": "3", "options": ""}, NfsFolder("nas", "/iso")),
        ({"location": "/srv/iso", "legacy_mode": "true"}, LocalFolder("/srv/iso")),
        ({"location": "/srv/iso", "type": "local"}, LocalFolder("/srv/iso")),
        ({"location": "/srv/iso"}, LocalFolder("/srv/iso")),
    ],
)
def test_a_library_is_on_a_server_or_in_a_folder(config: dict[str, str], meaning: NfsFolder | LocalFolder) -> None:
    assert parse_config(config) == meaning


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({}, "location"),
        ({"location": "srv/iso", "type": "local"}, "location"),
        ({"location": "/srv/../etc", "legacy_mode": "true"}, "location"),
        ({"location": "/", "type": "local"}, "location"),
        ({"location": "/srv/iso", "type": "nfs_iso"}, "location"),
        ({"location": "//server/share", "type": "cifs"}, "type"),
        ({"location": "//server/share"}, "type"),
        ({"location": "nas:/iso", "nfsversion": "4"}, "nfsversion"),
        ({"location": "nas:/iso", "options": "soft"}, "options"),
        ({"location": "nas:/iso", "legacy_mode": "yes"}, "legacy_mode"),
    ],
)
def test_a_wrong_configuration_names_its_key(config: dict[str, str], key: str) -> None:
    with pytest.raises(StorageConfigError) as refused:
        parse_config(config)
    assert refused.value.key == key


def test_the_uuid_of_a_file_follows_from_the_repository_and_the_name() -> None:
    uuid = volume_uuid("5b6bd1ae-59a9-4d66-9a10-5eea2e0e9d11", "debian-12.iso")
    assert uuid == "4d9d7138-4530-5175-a011-aaab372c9ade"
    assert uuid != volume_uuid("5b6bd1ae-59a9-4d66-9a10-5eea2e0e9d12", "debian-12.iso")
