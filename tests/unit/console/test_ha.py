"""High availability: what is proposed, in which order it is set, and how it is told."""

from typing import Any

import pytest
from tests.unit.console.rooms import Room

from cardume.console.connections.cache import NULL
from cardume.console.connections.failures import Refused, Unreachable
from cardume.console.connections.ha_plan import Plan
from cardume.console.presenters import actions, ha_settings
from cardume.console.presenters.alerts import alerts_page
from cardume.console.presenters.failover import banner
from cardume.console.presenters.ha import ha_tab, heartbeats, what_if
from cardume.console.presenters.ha_settings import Settings, Wish
from cardume.console.presenters.overview import overview
from cardume.console.text.catalogue import Texts

T = Texts("en")
NOW = 1_000_000.0


def room(*, on: bool = True, hosts: str = "ab") -> Room:
    """A pool with a LUN; `web` runs on a and is protected, `db` runs on b and is not."""
    made = Room("pool-g1", uuid="p1")
    for name in hosts:
        made.host(name)
        made.put("host", name, ha_network_peers=list(hosts) if on else [], ha_statefiles=["vdi:sf"] if on else [])
    made.sr("lun", *hosts, shared=True)
    made.put("vdi", "sf", SR="sr:lun", name_label="Statefile for HA")
    made.put(
        "pool",
        "p1",
        ha_enabled=on,
        ha_configuration={"profile": "fast"} if on else {},
        ha_statefiles=["vdi:sf"] if on else [],
        ha_host_failures_to_tolerate=1 if on else 0,
        ha_plan_exists_for=1 if on else 0,
        ha_overcommitted=False,
        ha_allow_overcommit=False,
        current_operations={},
    )
    vm(made, "web", "a", "restart" if on else "")
    vm(made, "db", "b", "")
    return made


def vm(made: Room, name: str, on: str, priority: str, **fields: Any) -> None:
    always = priority == "restart"
    known = {"ha_restart_priority": priority, "ha_always_run": always, "order": 0, "start_delay": 0}
    made.vm(name, on=on, sr="lun", **{**known, **fields})


def findings(made: Room, plan: Plan | None = None, **known: Any) -> list[tuple[str, str]]:
    tab = ha_tab(made.source(**known), plan or Plan(), T)
    return [(one.tone, one.text) for one in tab.findings]


def test_what_was_never_set_is_proposed_as_xenserver_does() -> None:
    now = ha_settings.present(room(on=False).source())
    proposed = ha_settings.proposed(now, ["vm:web", "vm:db"], {"vm:db": "its disk is on local storage"})
    assert {ref: wish.priority for ref, wish in proposed.wishes.items()} == {
        "vm:web": "restart",
        "vm:db": "best-effort",
    }
    chosen = Settings({"vm:web": Wish(), "vm:db": Wish("best-effort", 1, 30)})
    assert ha_settings.proposed(chosen, ["vm:web", "vm:db"], {}) == chosen


def test_a_vm_that_is_not_listed_keeps_what_is_set() -> None:
    now = ha_settings.present(room(on=False).source())
    proposed = ha_settings.proposed(now, ["vm:web"], {})
    assert proposed.wishes["vm:db"] == now.wishes["vm:db"]
    assert proposed.count("restart") == 1


def test_protection_is_taken_away_before_more_is_given_and_more_failures_are_promised() -> None:
    made = room()
    source = made.source()
    before = ha_settings.present(source)
    after = Settings({"vm:db": Wish("restart", 1, 30), "vm:web": Wish("best-effort")}, 2)
    assert [step.command for step in ha_settings.steps(source, before, after)] == [
        "xe vm-param-set uuid=web ha-restart-priority=best-effort",
        "xe vm-param-set uuid=db order=1 start-delay=30 ha-restart-priority=restart",
        "xe pool-param-set uuid=p1 ha-host-failures-to-tolerate=2",
    ]
    fewer = ha_settings.steps(source, before, Settings({"vm:db": Wish("restart")}, 0))
    assert [step.messages for step in fewer] == [
        (("pool.set_ha_host_failures_to_tolerate", ("pool:p1", 0)),),
        (("VM.set_ha_restart_priority", ("vm:db", "restart")),),
    ]


def test_what_is_as_wanted_already_is_not_set_again_nor_what_was_deleted_meanwhile() -> None:
    source = room().source()
    before = ha_settings.present(source)
    assert ha_settings.steps(source, before, before) == []
    gone = Settings({**before.wishes, "vm:gone": Wish("restart")}, before.tolerated)
    assert ha_settings.steps(source, before, gone) == []


def test_it_is_enabled_on_the_chosen_repository_with_the_chosen_times() -> None:
    source = room(on=False).source()
    assert ha_settings.knows_profiles(source)
    step = ha_settings.enabling(source, "sr:lun", "lab")
    assert step.command == "xe pool-ha-enable heartbeat-sr-uuids=lun ha-config:profile=lab"
    assert step.messages == (("pool.enable_ha", (["sr:lun"], {"profile": "lab"})),)


def test_xenserver_has_no_profiles_to_choose_from() -> None:
    made = room(on=False)
    made.host("a", version="8.3.0")
    assert not ha_settings.knows_profiles(made.source())
    step = ha_settings.enabling(made.source(), "sr:lun", "")
    assert step.messages == (("pool.enable_ha", (["sr:lun"], {})),)
    assert "ha-config" not in step.command


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (None, ""),
        (
            Refused(["SR_OPERATION_NOT_SUPPORTED", "sr:lun"]),
            "not of a type that can hold a heartbeat; use an iSCSI LUN",
        ),
        (Refused(["SR_NOT_ATTACHED", "sr:lun"]), "not attached on b; repair it first"),
        (Refused(["SR_FULL", "4194304", "0"]), "full; 4 MiB must be free"),
        (Unreachable("no answer"), "no answer. Check the address and that the server is on."),
    ],
)
def test_a_repository_that_cannot_hold_the_heartbeat_says_why(refusal: Exception | None, why: str) -> None:
    made = room(on=False)
    made.put("pbd", "lun-b", currently_attached=False)
    told = ha_settings.heartbeat_sr(made.source(), "sr:lun", made.record("sr", "lun"), refusal, T)
    assert (told.why_not, told.note) == (why, "75 GiB free")


def test_a_vm_that_is_not_agile_names_what_stands_in_the_way() -> None:
    made = room()
    made.sr("local", "a")
    made.vm("near", on="a", sr="local")
    made.put("network", "n", name_label="lab net")
    record = made.record("vm", "near")
    local = ["HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", "sr:local"]
    network = ["HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED", "network:n"]
    assert ha_settings.why_not_agile(made.source(), record, local, T) == (
        "its disk near disk is on local (a), which is not shared"
    )
    assert ha_settings.why_not_agile(made.source(), record, network, T) == "its network lab net is not on every server"
    assert ha_settings.why_not_agile(made.source(), record, ["VM_HAS_VGPU", "vm:near"], T) == (
        "The VM uses a graphics card of one server."
    )


def test_what_speaks_against_enabling_is_said_before() -> None:
    made = room(on=False)
    made.host("b", live=False)
    made.put("pbd", "lun-b", currently_attached=False)
    assert ha_settings.before_enabling(made.source(), T) == [
        "b does not answer. All servers must take part from the beginning.",
        "lun is not attached on every server (missing: 1). VMs with disks on it cannot be restarted there.",
    ]


def test_buttons_of_high_availability_say_why_they_cannot_be_pressed() -> None:
    def shown(made: Room) -> dict[str, str]:
        listed = actions.pool_actions(made.source(), T)
        return {one.key: one.why_not for one in listed if one.key.startswith("ha_")}

    assert shown(room()) == {"ha_configure": "", "ha_disable": ""}
    assert shown(room(on=False)) == {"ha_configure": ""}
    assert shown(room(on=False, hosts="a"))["ha_configure"].startswith("High availability needs two servers")
    busy = room(on=False)
    busy.put("pool", "p1", current_operations={"OpaqueRef:t": "ha_enable"})
    assert shown(busy) == {"ha_configure": "HA is just being switched on."}


def test_health_of_a_whole_pool_is_good_news() -> None:
    assert findings(room()) == [
        ("ok", T("ha.health.on.fast")),
        ("ok", "One lost server is made up for: whichever it is, every protected VM finds a place."),
        ("info", T("ha.health.two")),
    ]


def test_health_of_a_pool_without_high_availability_says_what_that_means() -> None:
    tab = ha_tab(room(on=False).source(), Plan(), T)
    assert [(one.tone, one.text) for one in tab.findings] == [("off", T("ha.health.off"))]
    assert [table.title for table in tab.tables] == ["Configuration", "What HA told last"]


def test_a_lost_server_and_a_plan_that_is_short_are_told() -> None:
    made = room()
    made.host("b", live=False)
    made.put("pool", "p1", ha_plan_exists_for=0, ha_overcommitted=True)
    told = findings(made, Plan(0, {"host:a": {"vm:web": {"error_code": "HOST_NOT_ENOUGH_FREE_MEMORY"}}}))
    assert told == [
        ("ok", T("ha.health.on.fast")),
        ("error", "The pool is overcommitted: it makes up for 0 lost servers at present, and is to make up for 1."),
        ("error", "b does not answer. HA restarts its protected VMs elsewhere once it is proved that it is dead."),
        ("info", T("ha.health.two")),
    ]


@pytest.mark.parametrize(
    ("change", "tone", "text"),
    [
        ({"a": {"ha_network_peers": ["a"]}}, "warn", "a does not hear b over the network."),
        ({"b": {"ha_statefiles": []}}, "error", "b does not reach the heartbeat SR."),
        ({"b": {"enabled": False}}, "warn", "b takes no VMs"),
    ],
)
def test_a_server_with_half_a_heartbeat_is_told(change: dict[str, dict[str, Any]], tone: str, text: str) -> None:
    made = room()
    for host, fields in change.items():
        made.put("host", host, **fields)
    assert any(one[0] == tone and one[1].startswith(text) for one in findings(made))


def test_a_pool_that_promises_nothing_says_so() -> None:
    made = room()
    made.put("pool", "p1", ha_host_failures_to_tolerate=0, ha_plan_exists_for=0)
    assert ("warn", T("ha.health.none_tolerated")) in findings(made)
    made.put("vm", "web", ha_restart_priority="best-effort")
    assert ("warn", "No VM is protected: none has the priority Restart.") in findings(made)


def test_a_protected_vm_that_does_not_run_is_told() -> None:
    made = room()
    made.put("vm", "web", power_state="Halted", resident_on=NULL)
    assert any("being restarted" in text and text.endswith("web.") for _, text in findings(made))


def test_the_matrix_says_who_hears_whom() -> None:
    made = room(hosts="abc")
    made.put("host", "a", ha_network_peers=["a", "c"])
    made.put("host", "b", ha_statefiles=[])
    made.host("c", live=False)
    table = heartbeats(made.source(), T)
    assert table.columns == ("Server", "Network", "lun")
    assert [[(cell.text, cell.tone) for cell in row[1:]] for row in table.rows] == [
        [("1 of 3 servers", "error"), ("Healthy", "ok")],
        [("2 of 3 servers", "warn"), ("No access", "error")],
        [("Not answering", "error"), ("Not answering", "error")],
    ]
    assert table.rows[0][1].note == "not heard: b"


def test_nothing_is_healthy_in_a_pool_that_does_not_answer() -> None:
    source = room().source(connected=False)
    assert {cell.text for row in heartbeats(source, T).rows for cell in row[1:]} == {"Unknown"}
    assert findings(room(), connected=False)[0][0] == "error"


def test_what_happens_if_a_server_is_lost() -> None:
    made = room()
    vm(made, "maybe", "a", "best-effort")
    vm(made, "stuck", "b", "restart")
    vm(made, "new", "b", "restart", order=2)
    places = {
        "host:a": {"vm:web": {"host": "host:b"}, "vm:maybe": {"host": "host:b"}},
        "host:b": {"vm:stuck": {"error_code": "HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED"}},
    }
    table = what_if(made.source(), Plan(1, places), T)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["a", "web", "Restart", "Restarts on b"],
        ["a", "maybe", "Restart if possible", "Restarts while there is room, now on b"],
        ["b", "stuck", "Restart", "Finds no place"],
        ["b", "new", "Restart", "Asking the pool…"],
        ["b", "db", "Do not restart", "Stays down"],
    ]
    assert table.rows[0][0].note == "master: another server takes its place"
    assert table.rows[2][3].note == "a disk of it is on storage that not every server reaches"


def test_of_the_last_server_nothing_restarts() -> None:
    made = room()
    made.host("b", live=False)
    table = what_if(made.source(), Plan(0, {"host:a": {"vm:web": {"host": "host:b"}}}), T)
    assert table.rows[0][0].note == "the last one: no server would be left"
    assert [row[3].text for row in table.rows] == ["Stays down", "Not answering"]


def test_a_lost_master_is_told_with_what_happens_meanwhile() -> None:
    source = room().source(connected=False, told_at=NOW, failure=Unreachable("gone"))
    soon = banner(source, T, NOW + 10)
    assert soon.startswith("a, the master of pool-g1, has not answered since")
    assert "another server takes its place by itself, as a rule within 15 s. The console asks b meanwhile" in soon
    assert "no other server has taken its place" in banner(source, T, NOW + 60)
    without = room(on=False).source(connected=False, told_at=NOW, failure=Unreachable("gone"))
    assert "HA" not in banner(without, T, NOW + 10)


def test_alerts_of_high_availability_say_what_they_mean() -> None:
    made = room()
    for number, (name, cls, uuid, body) in enumerate(
        (
            ("HA_HOST_FAILED", "Host", "b", "Server 'b' has failed: nothing came by network and statefile."),
            ("POOL_MASTER_TRANSITION", "Host", "a", ""),
            ("HA_POOL_DROP_IN_PLAN_EXISTS_FOR", "Pool", "p1", "0"),
        )
    ):
        at = f"20261128T13:00:0{number}Z"
        made.put("message", name, name=name, cls=cls, obj_uuid=uuid, body=body, priority=3, timestamp=at)
    drop, moved, failed = alerts_page([made.source()], {}, T, NOW).shown
    assert drop.told.startswith("The failover tolerance of pool pool-g1 has dropped to 0: HA is no longer guaranteed.")
    assert drop.body == ""
    assert moved.told == "a is now the master of pool pool-g1."
    assert failed.told.startswith("b was declared dead")
    assert failed.body.startswith("Server 'b' has failed")
    (table,) = (one for one in ha_tab(made.source(), Plan(), T).tables if one.title == "What HA told last")
    assert [row[1].text for row in table.rows] == [
        "Drop in HA failover tolerance",
        "Pool master changed",
        "Server failed",
    ]


def test_the_overview_has_a_column_when_some_pool_has_high_availability() -> None:
    assert "HA" not in overview([room(on=False).source()], T, NOW).columns
    made = room()
    made.put("host", "b", ha_network_peers=["b"])
    table = overview([made.source(), Room(uuid="p2", master="c").source()], T, NOW)
    at = table.columns.index("HA")
    assert {row[0].text: (row[at].text, row[at].tone) for row in table.rows} == {
        "pool-g1": ("Tolerates 1", "ok"),
        "a": ("Healthy", "ok"),
        "web": ("Restart", ""),
        "b": ("1 of 2 servers", "error"),
        "db": ("Do not restart", ""),
        "lun": ("Heartbeat SR", ""),
        "10.0.0.1:443": ("–", ""),  # of the pool without it
    }
    assert {len(row) for row in table.rows} == {len(table.columns)}
    made.put("pool", "p1", ha_overcommitted=True, ha_plan_exists_for=0)
    assert overview([made.source()], T, NOW).rows[0][at].tone == "error"
