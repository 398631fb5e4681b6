"""Lists and fields, in the form that XenServer's users and scripts know."""

from collections.abc import Callable

import pytest
from tests.unit.cli.pool_at_hand import Shell, small_pool

from cardume.cli.views import views

Golden = Callable[[str, str], None]


@pytest.fixture
def shell() -> Shell:
    return Shell(small_pool())


LISTS = (
    "vm template snapshot host sr vdi vbd vif pif pbd network pool task sm console message subject role secret host-cpu"
)


@pytest.mark.parametrize("name", LISTS.split())
def test_each_list_shows_what_xenservers_shows(shell: Shell, assert_golden: Golden, name: str) -> None:
    outcome = shell.xe(f"{name}-list")
    assert (outcome.code, outcome.err) == (0, "")
    assert_golden(f"xe/{name}-list.txt", outcome.out)


@pytest.mark.parametrize("name", ["vm-1", "vm-2"])
def test_a_vms_fields_are_all_shown_in_xenservers_order(shell: Shell, assert_golden: Golden, name: str) -> None:
    assert_golden(f"xe/vm-param-list-{name}.txt", shell.xe("vm-param-list", f"uuid=uuid-of-{name}").out)


def test_a_host_and_a_disk_show_all_their_fields(shell: Shell, assert_golden: Golden) -> None:
    shell.pool.answers["host.compute_free_memory"] = lambda host: 2**31
    shell.pool.answers["pool.get_license_state"] = lambda pool: {"edition": "free"}
    shell.pool.answers["SR.get_supported_types"] = lambda: ["ext", "iso"]
    assert_golden("xe/host-param-list.txt", shell.xe("host-param-list", "uuid=uuid-of-host").out)
    assert_golden("xe/vdi-param-list.txt", shell.xe("vdi-param-list", "uuid=uuid-of-disk").out)
    assert_golden("xe/pool-param-list.txt", shell.xe("pool-param-list", "uuid=uuid-of-pool").out)


def test_a_vm_is_printed_with_its_names_aligned_to_the_right_and_two_blank_lines(shell: Shell) -> None:
    assert shell.xe("vm-list", "name-label=vm-1").out == (
        "uuid ( RO)           : uuid-of-vm-1\n     name-label ( RW): vm-1\n    power-state ( RO): running\n\n\n"
    )


def test_templates_are_no_vms_and_the_control_domain_is_one(shell: Shell) -> None:
    assert shell.xe("vm-list", "params=name-label", "--minimal").line == "vm-1,vm-2,Control domain on host: d1-g1"
    assert shell.xe("template-list", "params=name-label", "--minimal").line == "Cardume lab guest"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("vm-list", "power-state=running", "is-control-domain=false"), "uuid-of-vm-1"),
        (("vm-list", "is-control-domain=false", "power-state=halted"), "uuid-of-vm-2"),
        (("vm-list", "platform:viridian=true"), "uuid-of-vm-1"),
        (("vm-list", "platform-viridian=true"), "uuid-of-vm-1"),
        (("vm-list", "tags:contains=web"), "uuid-of-vm-1"),
        (("vm-list", "resident-on=uuid-of-host", "dom-id=7"), "uuid-of-vm-1"),
        (("vm-list", "networks:0/ip=10.0.0.100"), "uuid-of-vm-1"),
        (("vm-list", "name-label=nobody"), ""),
        (("vbd-list", "vm-uuid=uuid-of-vm-1", "type=Disk"), "uuid-of-drive"),
        (("vbd-list", "vm-name-label=vm-1", "empty=true"), "uuid-of-cd-drive"),
        (("vdi-list", "sr-name-label=ISO library"), "uuid-of-cd"),
        (("sr-list", "content-type=iso"), "uuid-of-isos"),
        (("sr-list", "host=d1-g1", "type=ext"), "uuid-of-local"),
        (("pbd-list", "sr-uuid=uuid-of-local", "host-uuid=uuid-of-host"), "uuid-of-pbd-local"),
        (("pif-list", "MAC=52:54:00:00:00:01", "device=eth0"), "uuid-of-eth0"),
        (("vif-list", "MAC=52:54:00:AA:BB:CC"), "uuid-of-card"),
        (("role-list",), "uuid-of-admin"),
        (("message-list", "name=VM_STARTED", "class=VM"), "uuid-of-alert"),
    ],
)
def test_filters_compare_with_what_is_shown(shell: Shell, arguments: tuple[str, ...], expected: str) -> None:
    assert shell.xe(*arguments, "--minimal").line == expected


def test_nothing_found_prints_nothing_and_in_minimal_form_an_empty_line(shell: Shell) -> None:
    assert shell.xe("vm-list", "uuid=none").out == ""
    assert shell.xe("vm-list", "uuid=none", "--minimal").out == "\n"


def test_commas_and_backslashes_in_minimal_form_are_escaped(shell: Shell) -> None:
    shell.pool.add("SR", "odd", name_label="a\\b")
    assert shell.xe("vm-list", "name-label=vm-2", "params=name-description", "--minimal").line == "spare\\, cold"
    assert shell.xe("sr-list", "uuid=uuid-of-odd", "params=name-label", "--minimal").line == "a\\\\b"


def test_asked_fields_come_in_the_classes_order_and_unknown_ones_are_left_out(shell: Shell) -> None:
    asked = shell.xe("vm-list", "name-label=vm-1", "params=networks,dom-id,uuid,no-such-field").out
    assert asked == (
        "uuid ( RO)        : uuid-of-vm-1\n"
        "      dom-id ( RO): 7\n"
        "    networks (MRO): 0/ip: 10.0.0.100; 0/ipv4/0: 10.0.0.100\n"
        "\n\n"
    )


def test_a_field_that_xenserver_does_not_show_can_be_asked_for(shell: Shell) -> None:
    assert shell.xe("vm-param-get", "uuid=uuid-of-vm-1", "param-name=VIFs").line == "uuid-of-card"
    assert "VIFs" not in shell.xe("vm-param-list", "uuid=uuid-of-vm-1").out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("vm-param-get", "uuid=uuid-of-vm-1", "param-name=power-state"), "running"),
        (("vm-param-get", "uuid=uuid-of-vm-1", "param-name=platform"), "viridian: true; nx: true"),
        (("vm-param-get", "uuid=uuid-of-vm-1", "param-name=platform", "param-key=nx"), "true"),
        (("vm-param-get", "uuid=uuid-of-vm-1", "param-name=resident-on"), "uuid-of-host"),
        (("vm-param-get", "uuid=uuid-of-vm-2", "param-name=resident-on"), "<not in database>"),
        (("vm-param-get", "uuid=uuid-of-vm-2", "param-name=networks"), "<not in database>"),
        (("vm-param-get", "uuid=uuid-of-vm-1", "param-name=VBDs"), "uuid-of-drive; uuid-of-cd-drive"),
        (("vm-param-get", "uuid=uuid-of-vm-1", "param-name=start-time"), "20260102T03:04:05Z"),
        (("vm-param-get", "uuid=uuid-of-vm-1", "param-name=PV-drivers-detected"), "true"),
        (("vbd-param-get", "uuid=uuid-of-cd-drive", "param-name=vdi-name-label"), "<EMPTY>"),
        (("pool-param-get", "uuid=uuid-of-pool", "param-name=default-SR"), "uuid-of-local"),
        (("network-param-get", "uuid=uuid-of-lan", "param-name=tags"), "a, b,c"),
        (("network-param-get", "uuid=uuid-of-lan", "param-name=tags", "--minimal"), "a\\, b\\,c"),
        (("task-param-get", "uuid=uuid-of-work", "param-name=progress"), "0.250"),
        (("subject-param-get", "uuid=uuid-of-ana", "param-name=roles"), "pool-admin"),
    ],
)
def test_one_field_is_printed_alone(shell: Shell, arguments: tuple[str, ...], expected: str) -> None:
    outcome = shell.xe(*arguments)
    assert (outcome.code, outcome.line) == (0, expected)


def test_many_references_are_resolved_by_one_call_for_their_class(shell: Shell) -> None:
    for number in range(50):
        sr = shell.pool.add("SR", f"sr-{number}", name_label=f"sr {number}")
        shell.pool.add("VDI", f"vdi-{number}", SR=sr)
    listed = shell.xe("vdi-list", "params=uuid,sr-name-label")
    assert listed.out.count("sr-name-label") == 52
    assert [call[0] for call in shell.pool.calls] == ["VDI.get_all_records", "SR.get_all_records"]


def test_an_object_that_vanished_meanwhile_is_shown_as_missing(shell: Shell) -> None:
    del shell.pool.records["SR"]["OpaqueRef:isos"]
    assert shell.xe("vdi-list", "uuid=uuid-of-cd", "params=sr-name-label").out == (
        "sr-name-label ( RO)    : <not in database>\n\n\n"
    )


@pytest.mark.parametrize("prefix", sorted(views()))
def test_each_class_is_listed_and_shown_whole_even_where_its_fields_are_blank(prefix: str) -> None:
    pool = small_pool()
    view = views()[prefix]
    where = {name.replace("-", "_"): value == "true" for name, value in view.where}
    pool.add(view.cls, "thing", **where, **({"subroles": ["OpaqueRef:x"]} if view.cls == "role" else {}))
    for answer in ("host.compute_free_memory", "network_sriov.get_remaining_capacity"):
        pool.answers[answer] = lambda *given: 1
    for answer in ("SR.get_supported_types", "VM.get_possible_hosts"):
        pool.answers[answer] = lambda *given: []
    pool.answers["pool.get_license_state"] = lambda pool: {}
    pool.answers["VM.get_cooperative"] = lambda vm: True
    for answer in ("VM.get_allowed_VBD_devices", "VM.get_allowed_VIF_devices"):
        pool.answers[answer] = lambda vm: []
    shell = Shell(pool)

    listed = shell.xe(f"{prefix}-list", "params=uuid", "--minimal")
    whole = shell.xe(f"{prefix}-param-list", "uuid=uuid-of-thing")

    assert (listed.code, listed.err, whole.code, whole.err) == (0, "", 0, "")
    assert "uuid-of-thing" in listed.line.split(",")
    assert [line.partition(" (")[0].strip() for line in whole.out.strip().splitlines()] == [
        one.name for one in view.fields.values() if not one.hidden
    ]
