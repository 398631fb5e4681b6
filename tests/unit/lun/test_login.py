"""Portals, accounts, and what a login that failed means."""

import time

import pytest

from cardume.lun.errors import AddressUnknown, LunError, LunLoginRefused, LunSense, LunUnreachable, TargetNotFound
from cardume.lun.libiscsi import SONAMES, _load
from cardume.lun.login import Chap, Login, Portal
from cardume.lun.session import login_error, resolve

INITIATOR = "iqn.2026-01.org.cardume:test"


@pytest.mark.parametrize(
    ("text", "portal"),
    [
        ("10.147.1.10:3260,1", Portal("10.147.1.10", 3260)),
        ("10.147.1.10", Portal("10.147.1.10", 3260)),
        ("nas.example:860,2", Portal("nas.example", 860)),
        ("[fd00::10]:3260,1", Portal("fd00::10", 3260)),
        ("[fd00::10],1", Portal("fd00::10", 3260)),
        ("fd00::10,1", Portal("fd00::10", 3260)),
    ],
)
def test_a_portal_is_read_as_targets_tell_it(text: str, portal: Portal) -> None:
    assert Portal.of_text(text) == portal
    assert Portal.of_text(str(portal)) == portal


@pytest.mark.parametrize("text", ["", ":3260", "10.147.1.10:many"])
def test_what_is_no_portal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"portal|invalid literal"):
        Portal.of_text(text)


def test_a_password_is_not_shown() -> None:
    login = Login(INITIATOR, Chap("cardume", "chap-secret-12"), Chap("freenas", "mutual-secret-34"))
    assert repr(login) == f"Login(initiator='{INITIATOR}', chap=Chap(user='cardume'), mutual=Chap(user='freenas'))"


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 256, "ã" * 128])
def test_a_password_that_libiscsi_would_cut_is_refused_and_not_told(password: str) -> None:
    with pytest.raises(ValueError, match="a CHAP password has 1 to 255 bytes") as refused:
        Chap("cardume", password)
    assert not password or password not in str(refused.value)


def test_mutual_chap_needs_chap() -> None:
    with pytest.raises(ValueError, match="mutual"):
        Login(INITIATOR, mutual=Chap("freenas", "mutual-secret-34"))


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("Failed to log in to target. Status: Authentication failure(513)", LunLoginRefused),
        ("Failed to log in to target. Status: Authorization failure(514)", LunLoginRefused),
        ("Failed to log in to target. Status: Target not found(515)", TargetNotFound),
        ("Failed to log in to target. Status: Target removed(516)", TargetNotFound),
        ("Failed to log in to target. Status: Service unavailable(769)", LunUnreachable),
        ("Failed to log in to target. It did not return CHAP_N during SECNEG.", LunLoginRefused),
        ("Authentication failed. Invalid CHAP_R response from the target", LunLoginRefused),
        ("Failed to connect to iSCSI socket. Connection refused(111)", LunUnreachable),
        ("", LunUnreachable),
    ],
)
def test_a_failed_login_is_told_by_its_cause(told: str, kind: type[LunError]) -> None:
    assert type(login_error("10.147.1.10:3260", told)) is kind


def test_a_number_is_not_looked_up_and_a_name_without_time_is_not_waited_for() -> None:
    assert resolve(Portal("10.147.1.10"), 0.0) == "10.147.1.10"
    assert resolve(Portal("fd00::10"), 0.0) == "fd00::10"
    with pytest.raises(AddressUnknown, match=r"nowhere\.invalid"):
        resolve(Portal("nowhere.invalid"), time.monotonic())


def test_a_name_that_is_known_becomes_its_number() -> None:
    assert resolve(Portal("localhost"), time.monotonic() + 30) in ("127.0.0.1", "::1")


def test_a_host_without_the_library_is_told_which_package_has_it() -> None:
    tried = []

    def load(name: str) -> None:
        tried.append(name)
        raise OSError

    with pytest.raises(LunError, match="libiscsi7"):
        _load(load)  # type: ignore[arg-type]
    assert tuple(tried) == SONAMES


def test_a_sense_says_in_words_what_its_codes_mean() -> None:
    assert str(LunSense("reads", 0x5, 0x21, 0x00)) == "reads: illegal request, address outside the LUN (5/21/00)"
    assert str(LunSense("writes", 0x7, 0x27, 0x07)).endswith("the target has no space left for this LUN (7/27/07)")
    assert str(LunSense("writes", 0x4, 0x99, 0x01)) == "writes: hardware error, no text for this code (4/99/01)"
