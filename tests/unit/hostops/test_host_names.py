"""The block of /etc/hosts that names the hosts of the pool."""

from pathlib import Path

from cardume.hostops.host_names import names_of, with_names

HOSTS = [("10.147.0.12", "d2-g1"), ("10.147.0.11", "d1-g1")]
BLOCK = "# cardume: hosts of the pool\n10.147.0.11 d1-g1\n10.147.0.12 d2-g1\n# cardume: end\n"


def test_the_block_is_added_once_and_the_rest_stays() -> None:
    before = "127.0.0.1 localhost  # mine\n\n::1 localhost\n"
    assert with_names(before, HOSTS) == before + BLOCK
    assert with_names(before + BLOCK, HOSTS) == before + BLOCK


def test_a_host_that_left_is_taken_out_and_an_empty_pool_leaves_no_block() -> None:
    assert with_names(f"a b\n{BLOCK}c d\n", HOSTS[:1]) == (
        "a b\nc d\n# cardume: hosts of the pool\n10.147.0.12 d2-g1\n# cardume: end\n"
    )
    assert with_names(f"a b\n{BLOCK}c d\n", []) == "a b\nc d\n"


def test_what_an_administrator_wrote_is_not_written_again() -> None:
    assert with_names("10.147.0.11 d1-g1 master\n10.147.0.12 d2-g1\n", HOSTS) == (
        "10.147.0.11 d1-g1 master\n10.147.0.12 d2-g1\n"
    )


async def test_a_file_that_has_them_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    await names_of(HOSTS, path)
    first = path.stat()
    await names_of(HOSTS, path)
    assert path.read_text() == BLOCK
    assert path.stat().st_ino == first.st_ino
