"""Every class answers its readers, those that nobody fills yet included: clients keep a cache of each class."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.api.served_api import Api, Refused, blank, served
from tests.unit.datamodel.facts import facts

from cardume.datamodel.gpu_group import GPUGroup
from cardume.datamodel.pci import PCI
from cardume.datamodel.pgpu import PGPU
from cardume.datamodel.removed import REMOVED_CLASSES, REMOVED_MESSAGES, is_removed
from cardume.datamodel.schema import schema
from cardume.datamodel.vgpu import VGPU
from cardume.datamodel.vgpu_type import VGPUType

FILLED = {"VM", "host", "pool", "role", "session"}
"""The classes that have objects in the pool of these tests; calls make tasks for a moment."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(tmp_path) as made:
        yield made


async def test_every_class_that_is_listed_answers_all_its_records(api: Api) -> None:
    root = await api.login()
    listed = [name for name in await api.rpc("system.listMethods") if name.endswith(".get_all_records")]
    named = {name.partition(".")[0] for name in listed}

    answers = {cls: await api.rpc(f"{cls}.get_all_records", root) for cls in named}

    assert {cls for cls, records in answers.items() if records != {}} <= FILLED
    assert named == {name for name, cls in schema().classes.items() if cls.has_get_all_records}


async def test_a_class_without_objects_answers_every_way_of_looking_for_them(api: Api) -> None:
    root = await api.login()
    for name, cls in schema().classes.items():
        if name in FILLED or "get_by_uuid" not in cls.messages:
            continue
        with pytest.raises(Refused) as refused:
            await api.rpc(f"{name}.get_by_uuid", root, "no such")
        assert refused.value.description == ["UUID_INVALID", name, "no such"]
        if "get_all" in cls.messages:
            assert await api.rpc(f"{name}.get_all", root) == []
            assert await api.rpc(f"{name}.get_all_records_where", root, "true") == {}
        if "get_by_name_label" in cls.messages:
            assert await api.rpc(f"{name}.get_by_name_label", root, "none") == []


async def test_all_classes_together_can_be_waited_for(api: Api) -> None:
    root = await api.login()

    first = await api.rpc("event.from", root, ["*"], "", 0.1)

    assert {"vm", "host", "pool"} <= {event["class"] for event in first["events"]}
    with_events = {name.lower() for name, cls in schema().classes.items() if cls.events and cls.stored}
    assert {event["class"] for event in first["events"]} <= with_events


async def test_each_class_with_events_can_be_waited_for_by_name(api: Api) -> None:
    root = await api.login()
    names = [name.lower() for name, cls in schema().classes.items() if cls.events and cls.stored]

    first = await api.rpc("event.from", root, names, "", 0.1)

    assert "host" in {event["class"] for event in first["events"]}
    assert first["valid_ref_counts"]["host"] == 1
    assert first["valid_ref_counts"]["vgpu_type"] == 0


async def test_what_names_another_object_is_listed_there(api: Api) -> None:
    root = await api.login()
    card = await api.db.create(blank(PCI, host=api.host))
    kind = await api.db.create(blank(VGPUType))
    group = await api.db.create(blank(GPUGroup, enabled_VGPU_types=(kind,)))
    processor = await api.db.create(blank(PGPU, PCI=card, host=api.host, GPU_group=group, supported_VGPU_types=(kind,)))
    graphics = await api.db.create(blank(VGPU, VM=api.vm, GPU_group=group, type=kind, resident_on=processor))

    assert await api.rpc("host.get_PCIs", root, api.host) == [card]
    assert await api.rpc("host.get_PGPUs", root, api.host) == [processor]
    assert await api.rpc("VM.get_VGPUs", root, api.vm) == [graphics]
    described = await api.rpc("VGPU_type.get_record", root, kind)
    assert (described["supported_on_PGPUs"], described["enabled_on_PGPUs"]) == ([processor], [])
    assert (described["enabled_on_GPU_groups"], described["VGPUs"]) == ([group], [graphics])
    assert (await api.rpc("GPU_group.get_PGPUs", root, group)) == [processor]
    assert (await api.rpc("PGPU.get_resident_VGPUs", root, processor)) == [graphics]


async def test_what_xenapi_no_longer_has_is_told_apart_from_what_it_never_had(api: Api) -> None:
    listed = await api.rpc("system.listMethods")
    gone = [f"{cls}.{name}" for cls, known in facts()["classes"].items() for name in known["removed_messages"]]
    gone += [f"{cls}.{name}" for cls in facts()["removed_classes"] for name in ("get_record", "get_all_records")]
    assert {"VM.snapshot_with_quiesce", "host.license_apply", "pool.enable_ssl_legacy", "VMPP.get_record"} <= set(gone)

    for name in gone:
        for method in (name, name.replace(".", "_"), f"Async.{name}"):
            with pytest.raises(Refused) as refused:
                await api.rpc(method, "")
            assert refused.value.description == ["MESSAGE_REMOVED"], method
            assert method not in listed


def test_only_what_the_facts_call_removed_is_removed() -> None:
    known = {cls: tuple(fact["removed_messages"]) for cls, fact in facts()["classes"].items()}

    assert {cls: names for cls, names in known.items() if names} == REMOVED_MESSAGES
    assert sorted(facts()["removed_classes"]) == sorted(REMOVED_CLASSES)
    for method in ("VM.fly", "Async_VMPP_create", "VMPPs.create", "Async.VM_snapshot_with_quiesce", "VM.get_metrics_"):
        assert not is_removed(method)


async def test_what_is_declared_and_not_implemented_says_so(api: Api) -> None:
    root = await api.login()
    with pytest.raises(Refused) as refused:
        await api.rpc("PVS_site.introduce", root, "site", "", "")
    assert refused.value.description == ["NOT_IMPLEMENTED", "PVS_site.introduce"]
