"""The unit of the host's etcd."""

from pathlib import Path

from cardume.hostops.etcd_service import unit_text


def test_the_unit_cannot_be_enabled_and_reads_the_settings_that_cardumed_wrote() -> None:
    lines = unit_text(Path("/var/lib/cardume")).splitlines()

    assert "[Install]" not in lines
    assert "ExecStart=/usr/bin/etcd --config-file=/var/lib/cardume/etcd.json" in lines
    assert "ReadWritePaths=/var/lib/cardume/etcd" in lines


def test_a_member_that_the_cluster_removed_ends_well_and_is_not_started_again() -> None:
    assert "Restart=on-failure" in unit_text(Path("/var/lib/cardume")).splitlines()
