"""What is made of qemu-img's output, and of our values for its command line."""

from cardume.hostops.guests.guest import FileSource, NBDSource
from cardume.hostops.storage.images import PercentReader, image_options, stall_limit_s


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
    assert image_options(NBDSource("/run/x.sock", "iso")) == (
        "driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=/run/x.sock,file.export=iso"
    )


def test_a_large_image_on_a_slow_disk_has_time_for_each_percent() -> None:
    assert stall_limit_s(0) == 120
    assert stall_limit_s(1000 << 30) == 120 + 10240
