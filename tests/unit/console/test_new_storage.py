"""The wizard New Storage: what is wrong with a draft, what a scan answers, what the draft stands for."""

import pytest

from cardume.console.connections.failures import Refused
from cardume.console.presenters.new_storage import (
    Draft,
    Iqn,
    Lun,
    call,
    choose_kind,
    description,
    device_config,
    found_repositories,
    lun_text,
    offered_iqns,
    offered_luns,
    unique_name,
    why_no_location,
    why_no_name,
    why_no_scan,
    why_not_sure,
)
from cardume.console.text.catalogue import Texts

T = Texts("en")
LUN = Lun("1", "080027f9441700", 80 << 30, "FreeNAS", "3600")
IQNS = (
    "<iscsi-target-iqns><TGT><Index>0</Index><IPAddress>10.0.1.10</IPAddress>"
    "<TargetIQN>iqn:a</TargetIQN></TGT></iscsi-target-iqns>"
)
LUNS = (
    "<iscsi-target><LUN><vendor>FreeNAS</vendor><serial>080027f9441700</serial><LUNid>1</LUNid>"
    "<size>85899345920</size><SCSIid>3600</SCSIid></LUN></iscsi-target>"
)


def draft(**fields: object) -> Draft:
    made = Draft(name="freenas-lun1", target="10.0.1.10", iqn="iqn:a", lun=LUN)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, ""),
        ({"target": " "}, "Say where the target is."),
        ({"port": "70000"}, "A port is a number from 1 to 65535."),
        ({"port": "x"}, "A port is a number from 1 to 65535."),
        ({"chap": True}, "CHAP needs a user."),
        ({"lun": None}, "Scan the target, and choose a LUN."),
        ({"kind": "nfs"}, "Write the share as SERVER:/PATH."),
        ({"kind": "nfs", "share": "10.0.1.10:/mnt/vdi"}, ""),
        ({"kind": "iso", "share": "10.0.1.10/mnt"}, "Write the share as SERVER:/PATH."),
        ({"kind": "ext", "path": "relative"}, "Write the whole path, from / on."),
        ({"kind": "ext", "path": "/srv/disks"}, ""),
    ],
)
def test_the_page_location_says_what_is_wrong(fields: dict[str, object], wrong: str) -> None:
    assert why_no_location(draft(**fields), T) == wrong


def test_a_scan_needs_less_than_the_page() -> None:
    assert why_no_scan(draft(iqn="", lun=None), T) == ""
    assert why_no_name(draft(name=" "), T) == "The repository needs a name."


def test_a_scan_is_read_from_the_refusals_that_list() -> None:
    assert offered_iqns(Refused(["SR_BACKEND_FAILURE_96", "", "", IQNS])) == [Iqn("iqn:a", "10.0.1.10:3260")]
    assert offered_luns(Refused(["SR_BACKEND_FAILURE_107", "", "", LUNS])) == [LUN]
    assert lun_text(LUN, T) == "LUN 1: 080027f9441700: 80 GiB (FreeNAS)"


@pytest.mark.parametrize("details", [["SR_BACKEND_FAILURE_141"], ["SR_BACKEND_FAILURE_96", "", "", "<broken"]])
def test_any_other_refusal_is_told_as_one(details: list[str]) -> None:
    with pytest.raises(Refused):
        offered_iqns(Refused(details))


def test_repositories_on_the_lun_are_found() -> None:
    assert found_repositories("<SRlist><SR><UUID>\n u1 \n</UUID></SR></SRlist>") == ["u1"]
    assert found_repositories("<SRlist></SRlist>") == found_repositories("") == []


def test_each_kind_has_its_own_device_config() -> None:
    assert device_config(draft(chap=True, chap_user="u", chap_password="p")) == {
        "target": "10.0.1.10",
        "port": "3260",
        "chapuser": "u",
        "chappassword": "p",
        "targetIQN": "iqn:a",
        "SCSIid": "3600",
    }
    assert device_config(draft(kind="nfs", share="nas:/a/b")) == {"server": "nas", "serverpath": "/a/b"}
    assert device_config(draft(kind="iso", share="nas:/iso")) == {"location": "nas:/iso", "type": "nfs_iso"}
    assert device_config(draft(kind="ext", path="/srv")) == {"location": "/srv"}


def test_a_password_is_in_no_command_that_is_shown() -> None:
    shown = call(draft(chap=True, chap_user="u", chap_password="hidden"), T, overwrite=True)
    assert "hidden" not in shown
    assert "device-config:overwrite=true" in shown


def test_the_description_follows_the_settings_unless_one_is_typed() -> None:
    assert description(draft(), T) == "iSCSI SR [10.0.1.10 (iqn:a; LUN 1)]"
    assert description(draft(describe_by_settings=False, note="mine"), T) == "mine"


def test_a_default_name_that_is_taken_gets_a_number() -> None:
    assert unique_name("lvmoiscsi", [], T) == "iSCSI virtual disk storage"
    taken = ["iSCSI virtual disk storage", "iSCSI virtual disk storage 1"]
    assert unique_name("lvmoiscsi", taken, T) == "iSCSI virtual disk storage 2"


@pytest.mark.parametrize(
    ("serial", "typed", "is_sure"),
    [("0800", "", False), ("0800", " 0800 ", True), ("0800", "3600", False), ("", "", False), ("", "3600", True)],
)
def test_a_lun_is_formatted_only_when_what_names_it_was_typed(serial: str, typed: str, is_sure: bool) -> None:
    assert (why_not_sure(Lun("1", serial, 1, "x", "3600"), typed, T) == "") is is_sure


def test_another_kind_of_storage_keeps_the_name_that_was_typed() -> None:
    suggested = draft(name="iSCSI virtual disk storage 1")
    choose_kind(suggested, "nfs", ["iSCSI virtual disk storage"], T)
    assert (suggested.kind, suggested.name) == ("nfs", "NFS virtual disk storage")
    typed = draft(name="freenas")
    choose_kind(typed, "nfs", [], T)
    assert (typed.kind, typed.name) == ("nfs", "freenas")
