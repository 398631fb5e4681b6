import json
from pathlib import Path

import pytest

from cardume.lab import layout
from cardume.lab.errors import LabError
from cardume.lab.layout import find_lab, plan_lab, remember
from cardume.lab.room import plan_up
from cardume.lab.targets import create_luns, get_lun, targets_conf, targets_of

COURSE = plan_lab("lab", "10.147.0.0/23", 2)
TESTS = plan_lab("test", "10.148.0.0/23", 2, more_targets=True)


def test_the_course_finds_its_own_target_only() -> None:
    assert (
        targets_conf(COURSE)
        == """\
<target iqn.2005-10.org.freenas.cttl:lun1>
    controller_tid 1
    <backing-store /var/lib/lun/lun1.img>
        lun 1
        bs-type rdwr
        block-size 512
        vendor_id FreeNAS
        product_id "iSCSI Disk"
        product_rev 0123
        scsi_sn 080027f9441700
        params thin_provisioning=1
    </backing-store>
    initiator-address 10.147.1.0/24
</target>
"""
    )


def test_tests_find_further_targets_beside_it() -> None:
    assert targets_of(TESTS)[0] == targets_of(COURSE)[0]
    assert [(target.iqn.rpartition(":")[2], len(target.luns)) for target in targets_of(TESTS)] == [
        ("lun1", 1),
        ("scratch", 2),
        ("chap", 1),
        ("mutual", 1),
    ]


def test_no_two_luns_or_targets_can_be_taken_for_one_another() -> None:
    luns = [lun for target in targets_of(TESTS) for lun in target.luns]
    assert len({lun.serial for lun in luns}) == len({lun.path for lun in luns}) == len(luns) == 5
    assert len({target.number for target in targets_of(TESTS)}) == 4


def test_only_what_asks_for_chap_has_accounts() -> None:
    accounts = [line.split() for line in targets_conf(TESTS).splitlines() if "user " in line]
    assert accounts == [
        ["incominguser", "cardume", "chap-secret-12"],
        ["incominguser", "cardume", "chap-secret-12"],
        ["outgoinguser", "freenas", "mutual-secret-34"],
    ]


def test_the_files_behind_luns_are_sparse_and_one_that_is_there_keeps_its_size(tmp_path: Path) -> None:
    create_luns(tmp_path, targets_of(TESTS))
    resized = tmp_path / "lib/lun/scratch2.img"
    resized.write_bytes(b"used")
    create_luns(tmp_path, targets_of(TESTS))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "lib/lun").iterdir()}
    assert sizes == {
        "lun1.img": 80 << 30,
        "scratch1.img": 1 << 30,
        "scratch2.img": 4,
        "chap1.img": 256 << 20,
        "mutual1.img": 256 << 20,
    }
    assert (tmp_path / "lib/lun/lun1.img").stat().st_blocks == 0


def test_a_lun_that_the_lab_does_not_offer_is_refused() -> None:
    assert get_lun(TESTS, "iqn.2005-10.org.freenas.cttl:scratch", 2)[1].file == "scratch2.img"
    with pytest.raises(LabError, match="the lab lab has no LUN 2 on"):
        get_lun(COURSE, "iqn.2005-10.org.freenas.cttl:scratch", 2)


def test_a_lab_remembers_that_it_offers_further_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "STATE", tmp_path)
    remember(TESTS)
    assert find_lab("test") == TESTS
    assert plan_up("test", None, 3).more_targets
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/lab.json").write_text(json.dumps({"name": "lab", "subnet": "10.147.0.0/23", "hosts": 2}))
    assert not plan_up("lab", None, None).more_targets  # made before there were any
    assert plan_up("lab", None, None, more_targets=True).more_targets
