"""The configuration that an etcd of ours is started with."""

import json
from pathlib import Path

from cardume.pooldb.etcd_gateway import Credentials
from cardume.pooldb.etcd_settings import Settings, Voter, together

TLS = Path("/var/lib/cardume/tls")
CREDENTIALS = Credentials(TLS / "pool.pem", TLS / "etcd.pem", TLS / "etcd.key")
ONE, TWO = Voter("uuid-1", "10.0.0.1"), Voter("uuid-2", "10.0.0.2")


def test_a_member_serves_with_mutual_tls_only_on_its_address_and_the_loopback() -> None:
    told = json.loads(Settings(TWO, Path("/d"), CREDENTIALS, "pool-uuid", (ONE, TWO), joins=True).render())
    tls = {
        "cert-file": "/var/lib/cardume/tls/etcd.pem",
        "key-file": "/var/lib/cardume/tls/etcd.key",
        "trusted-ca-file": "/var/lib/cardume/tls/pool.pem",
        "client-cert-auth": True,
    }

    assert told["listen-client-urls"] == "https://10.0.0.2:2379,https://127.0.0.1:2379"
    assert told["listen-peer-urls"] == "https://10.0.0.2:2380"
    assert told["client-transport-security"] == tls
    assert told["peer-transport-security"] == tls


def test_a_member_that_joins_knows_the_others_and_does_not_forget_them() -> None:
    told = json.loads(Settings(TWO, Path("/d"), CREDENTIALS, "pool-uuid", (ONE, TWO), joins=True).render())

    assert told["initial-cluster"] == "uuid-1=https://10.0.0.1:2380,uuid-2=https://10.0.0.2:2380"
    assert told["initial-cluster-state"] == "existing"
    assert told["initial-cluster-token"] == "pool-uuid"
    assert told["force-new-cluster"] is False


def test_a_survivor_forgets_the_others() -> None:
    told = json.loads(Settings(ONE, Path("/d"), CREDENTIALS, "pool-uuid", (ONE,), alone=True).render())

    assert told["force-new-cluster"] is True


def test_settings_of_a_survivor_become_those_of_a_member_like_any_other() -> None:
    usual = Settings(ONE, Path("/d"), CREDENTIALS, "pool-uuid", (ONE,)).render()
    alone = Settings(ONE, Path("/d"), CREDENTIALS, "pool-uuid", (ONE,), alone=True).render()

    assert alone != usual
    assert together(alone) == together(usual) == usual
