"""What may be done with a disk, as a table."""

import dataclasses

import pytest

from cardume.core.vdi_lifecycle import VDIFacts, allowed_operations, assert_can
from cardume.datamodel.errors import ApiError
from cardume.datamodel.vdi import VDIOperation as Op
from cardume.datamodel.vdi import VDIType

DISKS = frozenset({"VDI_CREATE", "VDI_DELETE", "VDI_RESIZE", "VDI_CLONE", "VDI_SNAPSHOT"})
FREE = VDIFacts("OpaqueRef:vdi", "OpaqueRef:sr", capabilities=DISKS)
WRITTEN = dataclasses.replace(FREE, attached=True, attached_writable=True)
READ = dataclasses.replace(FREE, attached=True)
ISO = dataclasses.replace(FREE, capabilities=frozenset())
STATEFILE = dataclasses.replace(FREE, type=VDIType.HA_STATEFILE, ha_enabled=True)
DETACHED = dataclasses.replace(FREE, sr_attached=False)
MISSING = dataclasses.replace(FREE, missing=True)

READING = (Op.CLONE, Op.COPY, Op.SNAPSHOT)


def doing(*operations: Op) -> VDIFacts:
    return dataclasses.replace(FREE, current_operations={f"OpaqueRef:{op}": op for op in operations})


@pytest.mark.parametrize(
    ("vdi", "allowed"),
    [
        pytest.param(FREE, {*READING, Op.RESIZE, Op.MIRROR, Op.DESTROY, Op.FORGET, Op.UPDATE}, id="unused"),
        pytest.param(WRITTEN, {Op.SNAPSHOT, Op.UPDATE}, id="open for writing"),
        pytest.param(READ, {*READING, Op.UPDATE}, id="open for reading"),
        pytest.param(ISO, {Op.COPY, Op.FORGET, Op.UPDATE}, id="in an ISO library"),
        pytest.param(STATEFILE, {Op.UPDATE}, id="HA's statefile"),
        pytest.param(DETACHED, {Op.FORGET}, id="in a detached SR"),
        pytest.param(MISSING, {Op.FORGET, Op.UPDATE}, id="missing"),
        pytest.param(dataclasses.replace(FREE, managed=False), set(), id="parent of clones"),
        pytest.param(doing(Op.COPY), {Op.COPY}, id="being copied"),
        pytest.param(doing(Op.COPY, Op.RESIZE), set(), id="busy"),
        pytest.param(doing(Op.DATA_DESTROY), set(), id="being filled"),
    ],
)
def test_a_disk_offers_what_its_sr_and_its_users_allow(vdi: VDIFacts, allowed: set[Op]) -> None:
    assert set(allowed_operations(vdi)) == allowed


@pytest.mark.parametrize(
    ("vdi", "operation", "description"),
    [
        (WRITTEN, Op.COPY, ["VDI_IN_USE", "OpaqueRef:vdi", "copy"]),
        (READ, Op.RESIZE, ["VDI_IN_USE", "OpaqueRef:vdi", "resize"]),
        (READ, Op.DESTROY, ["VDI_IN_USE", "OpaqueRef:vdi", "destroy"]),
        (WRITTEN, Op.FORGET, ["VDI_IN_USE", "OpaqueRef:vdi", "forget"]),
        (ISO, Op.DESTROY, ["SR_OPERATION_NOT_SUPPORTED", "OpaqueRef:sr"]),
        (STATEFILE, Op.DESTROY, ["HA_IS_ENABLED"]),
        (STATEFILE, Op.COPY, ["VDI_INCOMPATIBLE_TYPE", "OpaqueRef:vdi", "ha_statefile"]),
        (DETACHED, Op.COPY, ["SR_NOT_ATTACHED", "OpaqueRef:sr"]),
        (
            dataclasses.replace(FREE, sr_has_pbds=False, sr_attached=False),
            Op.DESTROY,
            ["SR_HAS_NO_PBDS", "OpaqueRef:sr"],
        ),
        (MISSING, Op.DESTROY, ["VDI_MISSING", "OpaqueRef:sr", "OpaqueRef:vdi"]),
        (dataclasses.replace(FREE, managed=False), Op.DESTROY, ["VDI_NOT_MANAGED", "OpaqueRef:vdi"]),
        (
            doing(Op.COPY),
            Op.DESTROY,
            ["OTHER_OPERATION_IN_PROGRESS", "VDI", "OpaqueRef:vdi", "copy", "OpaqueRef:copy"],
        ),
        (ISO, Op.SNAPSHOT, ["SR_OPERATION_NOT_SUPPORTED", "OpaqueRef:sr"]),
        (FREE, Op.ENABLE_CBT, ["NOT_IMPLEMENTED", "VDI.enable_cbt"]),
        (READ, Op.DATA_DESTROY, ["VDI_IN_USE", "OpaqueRef:vdi", "data_destroy"]),
        (STATEFILE, Op.DATA_DESTROY, ["VDI_INCOMPATIBLE_TYPE", "OpaqueRef:vdi", "ha_statefile"]),
        (DETACHED, Op.DATA_DESTROY, ["SR_NOT_ATTACHED", "OpaqueRef:sr"]),
        (
            doing(Op.DATA_DESTROY),
            Op.COPY,
            ["OTHER_OPERATION_IN_PROGRESS", "VDI", "OpaqueRef:vdi", "data_destroy", "OpaqueRef:data_destroy"],
        ),
    ],
)
def test_a_refusal_says_why(vdi: VDIFacts, operation: Op, description: list[str]) -> None:
    with pytest.raises(ApiError) as refused:
        assert_can(vdi, operation)
    assert refused.value.description == description


def test_an_old_statefile_may_be_deleted_once_ha_is_off() -> None:
    assert_can(dataclasses.replace(STATEFILE, ha_enabled=False), Op.DESTROY)
