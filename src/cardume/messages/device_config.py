"""device_config of PBDs: passwords are kept as secrets, and a driver gets all that it needs to reach its storage.

A client writes a password as it is (`chappassword`); what is stored and shown is the uuid of a secret
(`chappassword_secret`). A client may also make the secret itself and write its uuid.
"""

from collections.abc import Mapping

from cardume.datamodel import errors
from cardume.datamodel.host import Host
from cardume.datamodel.pbd import PBD
from cardume.datamodel.refs import Ref
from cardume.datamodel.secret import Secret
from cardume.pooldb.db import Reader, Transaction

PASSWORDS = ("chappassword", "incoming_chappassword", "password", "cifspassword")
"""Keys that hold passwords, under XenServer's names."""
SUFFIX = "_secret"
OWNED = "cardume-owned"
"""In other_config of a secret that goes with the last PBD that names it."""


def store_secrets(txn: Transaction, device_config: Mapping[str, str]) -> dict[str, str]:
    """The configuration as it is recorded: each password in it became a secret's uuid."""
    stored = dict(device_config)
    for key in PASSWORDS:
        if key in stored:
            made = txn.create(Secret(value=stored.pop(key), other_config={OWNED: "true"}))
            stored[key + SUFFIX] = txn.get(made).uuid
    return stored


def assert_secrets(db: Reader, device_config: Mapping[str, str]) -> None:
    """Raise INVALID_VALUE when a secret is named that is not there."""
    for key in PASSWORDS:
        if (uuid := device_config.get(key + SUFFIX)) is not None and find_secret(db, uuid) is None:
            raise errors.INVALID_VALUE(f"device_config:{key}{SUFFIX}", uuid)


def drop_secrets(txn: Transaction, device_config: Mapping[str, str]) -> None:
    """Remove the secrets made for a configuration that is gone, unless another PBD names them."""
    named = {device_config[key + SUFFIX] for key in PASSWORDS if key + SUFFIX in device_config}
    for pbd in txn.all(PBD).values():
        named -= set(pbd.device_config.values())
    for ref, secret in txn.all(Secret).items():
        if secret.uuid in named and secret.other_config.get(OWNED) == "true":
            txn.delete(ref)


def for_driver(db: Reader, device_config: Mapping[str, str], host: Ref[Host]) -> dict[str, str]:
    """The configuration with the passwords themselves, and the name that the host shows to iSCSI targets."""
    assert_secrets(db, device_config)
    known = dict(device_config)
    for key in PASSWORDS:
        if (uuid := known.pop(key + SUFFIX, None)) is not None:
            secret = find_secret(db, uuid)
            assert secret is not None, "just looked at"
            known[key] = secret.value
    if (iqn := db.get(host).iscsi_iqn) and "target" in known:
        known.setdefault("localIQN", iqn)
    return known


def find_secret(db: Reader, uuid: str) -> Secret | None:
    """The secret of this uuid, None when there is none."""
    return next((secret for secret in db.all(Secret).values() if secret.uuid == uuid), None)
