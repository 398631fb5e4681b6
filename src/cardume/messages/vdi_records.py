"""VDI records made from what a driver says of a volume."""

from typing import Any

from cardume.datamodel.refs import NULL, Ref
from cardume.datamodel.sr import SR
from cardume.datamodel.vdi import VDI, VDIType
from cardume.hostops.storage.driver import Volume


def vdi_record(sr: Ref[SR], made: Volume, *, type: VDIType = VDIType.USER, **more: Any) -> VDI:
    """The record of a volume that was found or made in an SR; `more` are further fields."""
    fields: dict[str, Any] = {
        "uuid": made.uuid,
        "SR": sr,
        "location": made.location,
        "name_label": made.name_label,
        "name_description": made.name_description,
        "virtual_size": made.virtual_size,
        "physical_utilisation": made.physical_utilisation,
        "read_only": made.read_only,
        "sharable": False,
        "type": type,
        "managed": True,
        "missing": False,
        "parent": NULL,
        "other_config": {},
        "sm_config": {**made.sm_config, "image-format": made.format},
    }
    return VDI(**{**fields, **more})


def vdi_draft(sr: Ref[SR], name_label: str, virtual_size: int, **more: Any) -> VDI:
    """The record of a VDI whose volume is still to be made."""
    made = Volume(uuid="", location="", virtual_size=virtual_size, physical_utilisation=0, name_label=name_label)
    return vdi_record(sr, made, **more)
