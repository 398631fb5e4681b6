"""Buttons: shown where they make sense, and why they cannot be pressed."""

from typing import Any

import pytest
from tests.unit.console.rooms import Room

from cardume.console.presenters import actions
from cardume.console.text.catalogue import Texts

T = Texts("en")


def room() -> Room:
    made = Room("pool-g1")
    made.host("a")
    made.sr("local", "a")
    made.sr("lun", "a", shared=True)
    return made


def why(listed: list[actions.Action]) -> dict[str, str]:
    return {action.key: action.why_not for action in listed}


def test_a_halted_vm_can_be_started_moved_and_deleted() -> None:
    made = room()
    made.vm("vm", sr="local", allowed_operations=["start", "destroy", "export"])
    assert why(actions.vm_actions(made.source(), made.record("vm", "vm"), T)) == {
        "start": "",
        "move": "",
        "vm_export": "",
        "delete_vm": "",
        "properties": "",
    }


def test_a_running_vm_says_what_is_in_the_way() -> None:
    made = room()
    made.vm("vm", on="a", sr="local", allowed_operations=["hard_shutdown", "hard_reboot"])
    assert why(actions.vm_actions(made.source(), made.record("vm", "vm"), T)) == {
        "clean_shutdown": "The guest has not told yet that it can shut down by itself. Wait, or force it.",
        "clean_reboot": "The guest has not told yet that it can shut down by itself. Wait, or force it.",
        "suspend": "The server does not allow it in the present state.",
        "migrate": "There is no other server in this pool.",
        "hard_shutdown": "",
        "hard_reboot": "",
        "delete_vm": "Shut the VM down first.",
        "properties": "",
    }


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"current_operations": {"OpaqueRef:t": "start"}}, "Something is being done with it: Starting."),
        ({"allowed_operations": [], "blocked_operations": {"start": "audit"}}, "It is protected: audit"),
        ({"allowed_operations": []}, "The server does not allow it in the present state."),
    ],
)
def test_a_vm_that_cannot_be_started_says_why(fields: dict[str, Any], reason: str) -> None:
    made = room()
    made.vm("vm", sr="local", **fields)
    assert why(actions.vm_actions(made.source(), made.record("vm", "vm"), T))["start"] == reason


def test_while_the_pool_is_away_nothing_can_be_pressed() -> None:
    made = room()
    made.vm("vm", sr="local")
    source = made.source(connected=False)
    reasons = {*why(actions.vm_actions(source, made.record("vm", "vm"), T)).values()}
    assert reasons == {"The pool is not connected."}


def test_a_repository_is_detached_before_it_is_forgotten() -> None:
    made = room()
    found = why(actions.sr_actions(made.source(), "sr:lun", made.record("sr", "lun"), T))
    assert found["sr_detach"] == ""
    assert found["sr_forget"] == "Detach it first."
    made.put("pbd", "lun-a", currently_attached=False)
    found = why(actions.sr_actions(made.source(), "sr:lun", made.record("sr", "lun"), T))
    assert "sr_detach" not in found
    assert found["sr_repair"] == found["sr_forget"] == ""
    assert found["sr_scan"] == "The repository is detached."


def test_a_repository_whose_disks_are_in_use_names_the_vms() -> None:
    made = room()
    made.vm("web", on="a", sr="lun")
    found = why(actions.sr_actions(made.source(), "sr:lun", made.record("sr", "lun"), T))
    assert found["sr_detach"] == "VMs run with disks on it: web. Shut them down first."


def test_an_iso_library_is_never_the_default() -> None:
    made = room()
    made.sr("isos", "a", shared=True, content="iso")
    assert "sr_default" not in why(actions.sr_actions(made.source(), "sr:isos", made.record("sr", "isos"), T))


def test_a_new_pool_needs_a_standalone_server() -> None:
    assert why(actions.root_actions([room().source()], T))["new_pool"].startswith("There is no standalone server")
    alone = Room()
    alone.host("a")
    assert why(actions.root_actions([alone.source()], T)) == {"add_server": "", "new_pool": ""}
