"""What may be done with an SR, as a table."""

import dataclasses

import pytest

from cardume.core.sr_lifecycle import SRFacts, allowed_operations, assert_can
from cardume.datamodel.errors import ApiError
from cardume.datamodel.sr import StorageOperation as Op

DISKS = frozenset({"VDI_CREATE", "VDI_DELETE", "VDI_RESIZE", "VDI_CLONE"})
ATTACHED = SRFacts("OpaqueRef:sr", capabilities=DISKS)
ISO = dataclasses.replace(ATTACHED, capabilities=frozenset())
DETACHED = dataclasses.replace(ATTACHED, attached=False)
WITHOUT_PBD = dataclasses.replace(DETACHED, has_pbds=False)

ALWAYS = {Op.PBD_CREATE, Op.VDI_FORGET}
LINKS = {Op.PLUG, Op.UNPLUG, Op.PBD_CREATE, Op.PBD_DESTROY}
CHANGES = {Op.VDI_CREATE, Op.VDI_DESTROY, Op.VDI_RESIZE, Op.VDI_CLONE, Op.VDI_COPY}


def doing(*operations: Op) -> SRFacts:
    return dataclasses.replace(ATTACHED, current_operations={f"OpaqueRef:{op}": op for op in operations})


@pytest.mark.parametrize(
    ("sr", "allowed"),
    [
        pytest.param(ATTACHED, {Op.SCAN, Op.UPDATE, Op.VDI_FORGET, Op.VDI_UPDATE, *LINKS, *CHANGES}, id="attached"),
        pytest.param(ISO, {Op.SCAN, Op.UPDATE, Op.VDI_FORGET, Op.VDI_UPDATE, *LINKS}, id="ISO library"),
        pytest.param(DETACHED, {Op.FORGET, Op.DESTROY, Op.PLUG, Op.PBD_DESTROY, *ALWAYS}, id="detached"),
        pytest.param(WITHOUT_PBD, {Op.FORGET, *ALWAYS}, id="known to no host"),
        pytest.param(
            doing(Op.VDI_CREATE),
            {Op.UPDATE, Op.PLUG, Op.PBD_CREATE, Op.VDI_FORGET, Op.VDI_UPDATE, *CHANGES},
            id="a disk is being made",
        ),
        pytest.param(doing(Op.SCAN), {Op.UPDATE, Op.PLUG, Op.PBD_CREATE}, id="being scanned"),
        pytest.param(doing(Op.PLUG, Op.UNPLUG), LINKS, id="hosts come and go"),
        pytest.param(doing(Op.DESTROY), set(), id="being deleted"),
    ],
)
def test_an_sr_offers_what_its_driver_and_its_links_allow(sr: SRFacts, allowed: set[Op]) -> None:
    assert set(allowed_operations(sr)) == allowed


@pytest.mark.parametrize(
    ("sr", "operation", "description"),
    [
        (ATTACHED, Op.FORGET, ["SR_HAS_PBD", "OpaqueRef:sr"]),
        (ATTACHED, Op.DESTROY, ["SR_HAS_PBD", "OpaqueRef:sr"]),
        (WITHOUT_PBD, Op.DESTROY, ["SR_HAS_NO_PBDS", "OpaqueRef:sr"]),
        (dataclasses.replace(DETACHED, indestructible=True), Op.DESTROY, ["SR_INDESTRUCTIBLE", "OpaqueRef:sr"]),
        (DETACHED, Op.SCAN, ["SR_NOT_ATTACHED", "OpaqueRef:sr"]),
        (WITHOUT_PBD, Op.VDI_CREATE, ["SR_HAS_NO_PBDS", "OpaqueRef:sr"]),
        (WITHOUT_PBD, Op.PLUG, ["SR_HAS_NO_PBDS", "OpaqueRef:sr"]),
        (ISO, Op.VDI_CREATE, ["SR_OPERATION_NOT_SUPPORTED", "OpaqueRef:sr"]),
        (
            doing(Op.VDI_CREATE),
            Op.SCAN,
            ["OTHER_OPERATION_IN_PROGRESS", "SR", "OpaqueRef:sr", "vdi_create", "OpaqueRef:vdi_create"],
        ),
        (ATTACHED, Op.VDI_MIRROR, ["NOT_IMPLEMENTED", "SR operation vdi_mirror"]),
    ],
)
def test_a_refusal_says_why(sr: SRFacts, operation: Op, description: list[str]) -> None:
    with pytest.raises(ApiError) as refused:
        assert_can(sr, operation)
    assert refused.value.description == description
