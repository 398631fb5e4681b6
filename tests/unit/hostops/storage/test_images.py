"""What is made of qemu-img's output, and of our values for its command line."""

from dataclasses import replace
from pathlib import Path

import pytest

from cardume.hostops.guests.guest import FileSource, IscsiSource, NBDSource, NfsSource
from cardume.hostops.storage.images import (
    PercentReader,
    convert_into,
    image_objects,
    image_options,
    stall_limit_s,
)


def test_progress_is_read_whatever_pieces_it_comes_in() -> None:
    seen: list[float] = []
    reader = PercentReader(seen.append)
    for piece in (
        "    (0.00/100%)\r    (12.",
        "50/10",
        "0%)\r",
        "    (25.00/100%)\r    (50.00/100%)\r",
        "(100.00/100%)\r\n",
    ):
        reader.feed(piece)
    assert seen == [0.0, 0.125, 0.25, 0.5, 1.0]


def test_progress_never_falls_and_is_told_once() -> None:
    seen: list[float] = []
    reader = PercentReader(seen.append)
    reader.feed("(10.00/100%)\r(10.00/100%)\r(5.00/100%)\r(noise/100%)\r(11/100%)")
    assert seen == [0.1, 0.11]


def test_a_comma_in_a_path_stays_in_the_path() -> None:
    assert image_options(FileSource("/sr/a,driver=nbd.qcow2", "qcow2")) == (
        "driver=qcow2,file.driver=file,file.filename=/sr/a,,driver=nbd.qcow2"
    )


def test_an_nbd_socket_is_opened_as_raw() -> None:
    assert image_options(NfsSource("10.0.0.10", "/mnt/vdi/a.qcow2", "qcow2")) == (
        "driver=qcow2,file.driver=nfs,file.server.type=inet,file.server.host=10.0.0.10,"
        "file.path=/mnt/vdi/a.qcow2,file.user=0,file.group=0"
    )
    assert image_options(NBDSource("/run/x.sock", "iso")) == (
        "driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=/run/x.sock,file.export=iso"
    )


def test_a_large_image_on_a_slow_disk_has_time_for_each_percent() -> None:
    assert stall_limit_s(0) == 120
    assert stall_limit_s(1000 << 30) == 120 + 10240


def test_a_password_is_named_by_its_file_in_a_command_line() -> None:
    plain = IscsiSource("10.0.0.10", 3260, "iqn.2005-10.org.x:lun1", 1, 9 << 20, 64 << 20, "iqn.2026-01.x:h1")
    guarded = replace(plain, chap_user="cardume", chap_secret="sr-1")
    assert image_objects(plain, FileSource("/a", "raw")) == ()
    assert image_objects(guarded, guarded) == ("--object", "secret,id=chap-sr-1,file=/run/cardume/chap/sr-1")
    assert image_options(guarded) == (
        "driver=raw,offset=9437184,size=67108864,file.driver=iscsi,file.transport=tcp,file.portal=10.0.0.10:3260,"
        "file.target=iqn.2005-10.org.x:lun1,file.lun=1,file.initiator-name=iqn.2026-01.x:h1,"
        "file.user=cardume,file.password-secret=chap-sr-1"
    )


def test_a_portal_with_an_ipv6_address_stands_in_brackets() -> None:
    source = IscsiSource("fd00::10", 3260, "iqn.2005-10.org.x:lun1", 1, 0, 64 << 20, "iqn.2026-01.x:h1")
    assert "file.portal=[fd00::10]:3260," in image_options(source)


@pytest.mark.parametrize(("page_cache", "mode"), [(False, "none"), (True, "writeback")])
async def test_a_copy_goes_around_the_page_cache_where_it_can_and_ends_with_a_flush_anyway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_cache: bool, mode: str
) -> None:
    program = tmp_path / "qemu-img"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    one, other = FileSource("/a", "qcow2"), FileSource("/b", "qcow2")
    await convert_into(one, other, 1 << 20, lambda _: None, target_is_zero=True, page_cache=page_cache)

    assert (tmp_path / "words").read_text() == (
        f"convert -p --target-is-zero -n -W -m 16 -t {mode} --image-opts --target-image-opts"
        " driver=qcow2,file.driver=file,file.filename=/a driver=qcow2,file.driver=file,file.filename=/b\n"
    )
