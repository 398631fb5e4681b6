"""device_config of SRs on LUNs: what it means, and which key is told when it means nothing."""

import pytest

from cardume.hostops.errors import StorageConfigError
from cardume.hostops.storage.iscsi_config import parse_config
from cardume.lun.login import Chap, Login, Portal

IQN = "iqn.2005-10.org.freenas.ctl:pool1"
LOCAL = "iqn.2026-01.org.cardume:h1"
WHOLE = {"target": "10.1.2.3", "targetIQN": IQN, "SCSIid": "36589cfc000000", "localIQN": LOCAL}
USER = {"chapuser": "us er", "chappassword": "pass,word \n"}
MUTUAL = {"incoming_chapuser": "them", "incoming_chappassword": "theirs"}


def test_a_whole_configuration_is_read() -> None:
    config = parse_config({**WHOLE, **USER, **MUTUAL, "port": "860", "other": "is not looked at"})
    assert config.portal == Portal("10.1.2.3", 860)
    assert config.login == Login(LOCAL, Chap("us er", "pass,word \n"), Chap("them", "theirs"))
    assert (config.target_iqn, config.scsi_id, config.chap_user) == (IQN, "36589cfc000000", "us er")
    assert "pass,word" not in repr(config)


def test_what_may_be_left_out_has_its_usual_value() -> None:
    config = parse_config(WHOLE)
    assert (config.portal.port, config.login.chap, config.login.mutual, config.chap_user) == (3260, None, None, "")


@pytest.mark.parametrize("left_out", [("SCSIid",), ("SCSIid", "targetIQN")])
def test_a_probe_may_leave_out_what_it_looks_for(left_out: tuple[str, ...]) -> None:
    some = {key: text for key, text in WHOLE.items() if key not in left_out}
    config = parse_config(some, complete=False)
    assert (config.target_iqn, config.scsi_id) == (some.get("targetIQN", ""), "")
    with pytest.raises(StorageConfigError) as refused:
        parse_config(some)
    assert refused.value.key == left_out[-1]


def test_a_lun_without_its_target_leads_nowhere() -> None:
    with pytest.raises(StorageConfigError) as refused:
        parse_config({key: text for key, text in WHOLE.items() if key != "targetIQN"}, complete=False)
    assert refused.value.key == "targetIQN"


@pytest.mark.parametrize("key", ["target", "targetIQN", "SCSIid", "localIQN"])
@pytest.mark.parametrize("text", [None, ""])
def test_a_missing_key_is_named(key: str, text: str | None) -> None:
    config = {**WHOLE, key: text} if text is not None else {name: WHOLE[name] for name in WHOLE if name != key}
    with pytest.raises(StorageConfigError, match="is missing") as refused:
        parse_config(config)
    assert refused.value.key == key


WRONG = [
    *(
        ("target", text)
        for text in (" 10.1.2.3", "10.1.2.3 ", "a b", "a/b", "a,b", "-x", "a\0", "é", "x" * 255, "[::1]")
    ),
    *(("port", text) for text in ("0", "65536", "-1", "3.5", " 3260", "0x10", "٣", "9" * 5000)),
    *(
        (key, text)
        for key in ("targetIQN", "localIQN")
        for text in (
            "lun1",
            "iqn.05-10.x:y",
            "iqn.٢٠٠٥-10.x:y",
            f"{IQN}/1",
            f"{IQN},x",
            f" {IQN}",
            f"{IQN} ",
            f"{IQN}\n",
            f"{IQN}\0",
            f"{IQN}\udc80",
            f"{IQN}é",
            f"iqn.2005-10.{'x' * 201}",
        )
    ),
    *(("SCSIid", text) for text in (" 36589", "365\n", "365\0", "é", "x" * 255)),
    *((key, text) for key in (*USER, *MUTUAL) for text in ("a\0", "x" * 256, "é" * 128, "\udc80")),
]


@pytest.mark.parametrize(("key", "text"), WRONG)
def test_what_cannot_be_is_refused_by_the_key_that_is_wrong(key: str, text: str) -> None:
    with pytest.raises(StorageConfigError) as refused:
        parse_config({**WHOLE, **USER, **MUTUAL, key: text})
    assert refused.value.key == key


@pytest.mark.parametrize("key", [*USER, *MUTUAL])
def test_user_and_password_go_together(key: str) -> None:
    with pytest.raises(StorageConfigError, match="go together") as refused:
        parse_config({**WHOLE, **USER, **MUTUAL, key: ""})
    assert refused.value.key == key


def test_a_target_proves_itself_only_to_who_does() -> None:
    with pytest.raises(StorageConfigError) as refused:
        parse_config({**WHOLE, **MUTUAL})
    assert refused.value.key == "chapuser"


@pytest.mark.parametrize("key", ["chappassword", "incoming_chappassword"])
def test_no_password_is_told(key: str) -> None:
    with pytest.raises(StorageConfigError) as refused:
        parse_config({**WHOLE, **USER, **MUTUAL, key: "hidden\0"})
    assert "hidden" not in str(refused.value)
