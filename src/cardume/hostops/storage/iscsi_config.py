"""device_config of the type `lvmoiscsi`, under XenServer's names, as values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cardume.hostops.errors import StorageConfigError
from cardume.lun.login import ISCSI_PORT, LONGEST_CHAP, Chap, Login, Portal

CONFIGURATION: Mapping[str, str] = {
    "target": "address or name of the iSCSI target (required)",
    "port": f"its TCP port (default: {ISCSI_PORT})",
    "targetIQN": "the target's name; SR.probe without it lists those there are",
    "SCSIid": "the disk's identity; SR.probe without it lists the disks of the target",
    "chapuser": "CHAP user that this pool logs in with",
    "chappassword": "its password; kept as a secret",
    "incoming_chapuser": "CHAP user that the target proves itself with (mutual CHAP)",
    "incoming_chappassword": "its password; kept as a secret",
    "localIQN": "initiator name, in the place of host.iscsi_iqn",
    "overwrite": "true: what is on the LUN may go when the SR is created; never kept",
}

_ADDRESS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|[0-9a-fA-F:]{2,45}")
_IQN = re.compile(
    r"(iqn\.[0-9]{4}-[0-9]{2}\.|eui\.|naa\.)[!-+\-.0-~]{1,200}"
)  # what is seen of ASCII, no comma, no slash
_SCSI_ID = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,253}")


@dataclass(frozen=True, slots=True)
class IscsiConfig:
    """Where a LUN is, and how this host logs in to it. Empty texts are not chosen yet."""

    portal: Portal
    login: Login
    target_iqn: str
    scsi_id: str

    @property
    def chap_user(self) -> str:
        return self.login.chap.user if self.login.chap else ""


def parse_config(device_config: Mapping[str, str], *, complete: bool = True) -> IscsiConfig:
    """The values of a device_config; StorageConfigError names the key that is missing or wrong.

    complete: target and LUN have to be named; else they may be left out, for a probe.
    """
    address = _matching(device_config, "target", _ADDRESS, "an address or a name")
    config = IscsiConfig(
        portal=Portal(address, _port(device_config.get("port", ""))),
        login=_login(device_config),
        target_iqn=_matching(device_config, "targetIQN", _IQN, "an IQN", required=complete),
        scsi_id=_matching(device_config, "SCSIid", _SCSI_ID, "the identity of a SCSI disk", required=complete),
    )
    if config.scsi_id and not config.target_iqn:
        raise StorageConfigError("targetIQN", "targetIQN: the target that has the LUN has to be named")
    return config


def _matching(
    device_config: Mapping[str, str], key: str, form: re.Pattern[str], what: str, *, required: bool = True
) -> str:
    # As it is, with its blanks: who compares two configurations by their texts is not to be told otherwise here.
    text = device_config.get(key, "")
    if not text and required:
        raise StorageConfigError(key, f"{key} is missing: {CONFIGURATION[key]}")
    if text and not form.fullmatch(text):
        raise StorageConfigError(key, f"{key}: {text!r} is not {what}")
    return text


def _port(text: str) -> int:
    if not text:
        return ISCSI_PORT
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536):
        raise StorageConfigError("port", f"port: {text!r} is not a TCP port")
    return int(text)


def _login(device_config: Mapping[str, str]) -> Login:
    initiator = _matching(device_config, "localIQN", _IQN, "an IQN")
    chap = _chap(device_config, "chapuser", "chappassword")
    mutual = _chap(device_config, "incoming_chapuser", "incoming_chappassword")
    if mutual is not None and chap is None:
        raise StorageConfigError("chapuser", "chapuser is missing: mutual CHAP needs CHAP")
    return Login(initiator, chap, mutual)


def _chap(device_config: Mapping[str, str], user_key: str, password_key: str) -> Chap | None:
    user, password = device_config.get(user_key, ""), device_config.get(password_key, "")
    if not user and not password:
        return None
    if not user or not password:
        missing = password_key if user else user_key
        raise StorageConfigError(missing, f"{missing} is missing: {user_key} and {password_key} go together")
    for key, text in ((user_key, user), (password_key, password)):
        if not _is_chap_text(text):
            raise StorageConfigError(key, f"{key} has 1 to {LONGEST_CHAP} bytes of UTF-8, none of them zero")
    return Chap(user, password)


def _is_chap_text(text: str) -> bool:
    try:
        return "\0" not in text and len(text.encode()) <= LONGEST_CHAP
    except UnicodeEncodeError:
        return False
