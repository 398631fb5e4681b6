from collections.abc import Callable, Mapping
from typing import Any

from cardume.lab.starting_point import create_template, ensure_iso_sr, ensure_local_sr, ensure_running_vm

NULL = "OpaqueRef:NULL"


class FakeClass:
    """One XenAPI class in memory: getters and setters of any field, and a log of the other calls."""

    def __init__(self, name: str, log: list[tuple[Any, ...]]) -> None:
        self.name, self.log = name, log
        self.records: dict[str, dict[str, Any]] = {}

    def add(self, record: Mapping[str, Any]) -> str:
        ref = f"OpaqueRef:{self.name}{len(self.records) + 1}"
        self.records[ref] = dict(record)
        return ref

    def create(self, *arguments: Any) -> str:
        self.log.append((self.name, "create"))
        record = arguments[0] if len(arguments) == 1 else {"arguments": arguments, "name_label": arguments[3]}
        return self.add({"power_state": "Halted", **record})

    def clone(self, ref: str, name_label: str) -> str:
        self.log.append((self.name, "clone", name_label))
        return self.add({**self.records[ref], "name_label": name_label})

    def start(self, ref: str, *flags: bool) -> None:
        self.log.append((self.name, "start", self.records[ref]["name_label"]))
        self.records[ref]["power_state"] = "Running"

    def provision(self, ref: str) -> None:
        self.log.append((self.name, "provision"))
        self.records[ref]["is_a_template"] = False

    def get_all(self) -> list[str]:
        return list(self.records)

    def get_all_records(self) -> dict[str, dict[str, Any]]:
        return self.records

    def get_by_name_label(self, name_label: str) -> list[str]:
        return [ref for ref, record in self.records.items() if record.get("name_label") == name_label]

    def __getattr__(self, message: str) -> Callable[..., Any]:
        verb, _, field = message.partition("_")
        if verb == "get":
            return lambda ref: self.records[ref][field]
        assert verb == "set", message
        return lambda ref, value: self.records[ref].__setitem__(field, value)


class FakeApi:
    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        for name in ("pool", "host", "SR", "VM", "VBD", "VIF", "PIF"):
            setattr(self, name, FakeClass(name, self.log))
        self.class_of("pool").add({"default_SR": NULL})
        self.class_of("host").add({})
        self.class_of("PIF").add({"management": False, "network": "OpaqueRef:storage"})
        self.class_of("PIF").add({"management": True, "network": "OpaqueRef:management"})

    def class_of(self, name: str) -> FakeClass:
        found: FakeClass = getattr(self, name)
        return found


def test_the_local_sr_is_made_once_and_becomes_the_default() -> None:
    api = FakeApi()
    first = ensure_local_sr(api, "OpaqueRef:host1")
    assert ensure_local_sr(api, "OpaqueRef:host1") == first
    assert api.log == [("SR", "create")]
    assert api.class_of("pool").records["OpaqueRef:pool1"]["default_SR"] == first
    assert api.class_of("SR").records[first]["arguments"][1] == {"location": "/var/lib/cardume/sr/local"}


def test_a_default_sr_that_somebody_chose_stays() -> None:
    api = FakeApi()
    api.class_of("pool").records["OpaqueRef:pool1"]["default_SR"] = "OpaqueRef:theirs"
    ensure_local_sr(api, "OpaqueRef:host1")
    assert api.class_of("pool").records["OpaqueRef:pool1"]["default_SR"] == "OpaqueRef:theirs"


def test_the_iso_library_is_shared_and_made_once() -> None:
    api = FakeApi()
    sr = ensure_iso_sr(api, "OpaqueRef:host1", "10.147.1.10:/mnt/iso")
    assert ensure_iso_sr(api, "OpaqueRef:host1", "10.147.1.10:/mnt/iso") == sr
    arguments = api.class_of("SR").records[sr]["arguments"]
    assert arguments[1] == {"location": "10.147.1.10:/mnt/iso", "type": "nfs_iso"}
    assert arguments[5:8] == ("iso", "iso", True)


def test_the_template_owns_its_disk_and_a_card_in_the_management_network() -> None:
    api = FakeApi()
    template = create_template(api, "OpaqueRef:disk")
    record = api.class_of("VM").records[template]
    assert (record["name_label"], record["is_a_template"]) == ("Cardume lab guest", True)
    [vbd] = api.class_of("VBD").records.values()
    assert (vbd["VM"], vbd["VDI"], vbd["bootable"]) == (template, "OpaqueRef:disk", True)
    [vif] = api.class_of("VIF").records.values()
    assert (vif["VM"], vif["network"]) == (template, "OpaqueRef:management")


def test_the_vm_is_cloned_provisioned_and_started_and_a_second_time_left_alone() -> None:
    api = FakeApi()
    template = create_template(api, "OpaqueRef:disk")
    api.log.clear()
    vm = ensure_running_vm(api, template, "vm-d1-g1")
    assert ensure_running_vm(api, template, "vm-d1-g1") == vm
    assert api.log == [("VM", "clone", "vm-d1-g1"), ("VM", "provision"), ("VM", "start", "vm-d1-g1")]


def test_a_vm_whose_start_was_interrupted_is_started() -> None:
    api = FakeApi()
    template = create_template(api, "OpaqueRef:disk")
    halted = api.class_of("VM").clone(template, "vm-d1-g1")
    api.class_of("VM").provision(halted)
    api.log.clear()
    assert ensure_running_vm(api, template, "vm-d1-g1") == halted
    assert api.log == [("VM", "start", "vm-d1-g1")]
