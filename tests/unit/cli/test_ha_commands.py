"""The commands about high availability's plan."""

import pytest
from tests.unit.cli.pool_at_hand import PoolAtHand, Shell


@pytest.fixture
def shell() -> Shell:
    return Shell(PoolAtHand())


def test_other_priorities_are_tried_for_each_vm_that_is_named(shell: Shell) -> None:
    web, db = shell.pool.add("VM", "web"), shell.pool.add("VM", "db")
    method = "pool.ha_compute_hypothetical_max_host_failures_to_tolerate"
    shell.pool.answers[method] = lambda configuration: "2"
    command = "pool-ha-compute-hypothetical-max-host-failures-to-tolerate"
    words = ("vm-uuid=uuid-of-web", "restart-priority=restart", "vm-uuid=uuid-of-db", "restart-priority=best-effort")
    assert shell.xe(command, *words).out == "2\n"
    assert shell.pool.done(method) == [(method, {web: "restart", db: "best-effort"})]
    assert "in turns" in shell.xe(command, "vm-uuid=uuid-of-web", "vm-uuid=uuid-of-db").err
    assert shell.xe(command).out == "2\n"


def test_a_failover_plan_shows_a_host_or_an_error_for_each_vm(shell: Shell) -> None:
    shell.pool.add("host", "other")
    web = shell.pool.add("VM", "web", name_label="Web")
    big = shell.pool.add("VM", "big", name_label="Big")
    control = shell.pool.add("VM", "control", is_control_domain=True)
    lost = shell.pool.add("host", "lost", resident_VMs=(web, big, control))
    method = "pool.ha_compute_vm_failover_plan"
    shell.pool.answers[method] = lambda hosts, vms: {
        web: {"host": "OpaqueRef:other"},
        big: {"error_code": "HOST_NOT_ENOUGH_FREE_MEMORY"},
    }
    out = shell.xe("pool-ha-compute-vm-failover-plan", "host-uuids=uuid-of-lost").out
    assert [line.split(": ")[1] for line in out.splitlines() if line] == [
        "uuid-of-big",
        "Big",
        "HOST_NOT_ENOUGH_FREE_MEMORY",
        "uuid-of-web",
        "Web",
        "uuid-of-other",
    ]
    assert shell.pool.done(method) == [(method, [lost], [big, web])]


def test_high_availability_is_switched_on_and_off(shell: Shell) -> None:
    sr = shell.pool.add("SR", "lun")
    for method in ("Async.pool.enable_ha", "Async.pool.disable_ha", "pool.enable_ha", "pool.disable_ha"):
        shell.pool.answers[method] = lambda *given: ""
    shell.xe("pool-ha-enable", "heartbeat-sr-uuids=uuid-of-lun", "ha-config:timeout=60")
    shell.xe("pool-ha-disable")
    sent = [(name.removeprefix("Async."), *given) for name, *given in shell.pool.done()]
    assert sent[0] == ("pool.enable_ha", [sr], {"timeout": "60"})
    assert sent[1] == ("pool.disable_ha",)
