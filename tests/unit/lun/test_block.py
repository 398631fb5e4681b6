"""What is known of a block device, and the bound on what the kernel holds."""

import threading
from pathlib import Path

import pytest
from tests.unit.lun.test_identity import TGT_80, TGT_83

from cardume.lun.block import BlockLun, facts_in
from cardume.lun.bounded import BoundedThread
from cardume.lun.errors import LunError, LunNotFound, LunUnreachable

SOON_S = 0.05
LIMIT_S = 30.0


def test_a_scsi_disk_has_the_name_that_its_target_tells_over_iscsi(tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.mkdir()
    (tmp_path / "queue").mkdir()
    (device / "vendor").write_text("FreeNAS \n")
    (device / "model").write_text("iSCSI Disk      \n")
    (device / "rev").write_text("0123\n")
    (device / "vpd_pg83").write_bytes(TGT_83)
    (device / "vpd_pg80").write_bytes(TGT_80)
    (tmp_path / "queue/discard_max_bytes").write_text("4294966784\n")

    facts = facts_in(tmp_path, 80 << 30, 512)

    assert (facts.vendor, facts.product, facts.revision) == ("FreeNAS", "iSCSI Disk", "0123")
    assert (facts.serial, facts.scsi_id) == ("080027f9441700", "360000000000000000e00000000010001")
    assert facts.is_thin


def test_a_device_that_is_no_scsi_disk_has_no_name(tmp_path: Path) -> None:
    facts = facts_in(tmp_path, 1 << 20, 512)
    assert (facts.vendor, facts.serial, facts.scsi_id, facts.is_thin) == ("", "", "", False)


def test_what_is_no_block_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(4096))
    with pytest.raises(LunError, match="no block device"):
        BlockLun(tmp_path / "file")
    with pytest.raises(LunNotFound):
        BlockLun(tmp_path / "nothing")


def test_nothing_is_begun_while_something_lasts_that_was_given_up() -> None:
    thread, gate, done = BoundedThread("disk"), threading.Event(), []

    def held() -> None:
        gate.wait(LIMIT_S)
        done.append("first")

    with pytest.raises(LunUnreachable):
        thread.run(held, SOON_S)
    with pytest.raises(LunUnreachable, match="has not ended"):
        thread.run(lambda: done.append("second"), LIMIT_S)

    gate.set()
    ended = threading.Event()
    thread.end(ended.set)
    assert ended.wait(LIMIT_S)
    assert done == ["first"]


def test_work_gives_its_result_or_its_failure() -> None:
    thread = BoundedThread("disk")
    assert thread.run(lambda: 7, LIMIT_S) == 7
    with pytest.raises(ZeroDivisionError):
        thread.run(lambda: 1 // 0, LIMIT_S)
    assert thread.run(lambda: 8, LIMIT_S) == 8
    thread.end(lambda: None)
