"""SM: a storage driver."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from cardume.datamodel.declare import RO, RW, field, named, xenclass
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set


@named("image_format_type")
class ImageFormatType(StrEnum):
    """Formats that a disk's data can have."""

    RAW = "raw"
    VHD = "vhd"
    QCOW2 = "qcow2"


@xenclass(role=Role.POOL_OPERATOR)
class SM:
    """A storage driver: what kinds of SR there are, and what each can do."""

    uuid: str = field(RO, "the object's unique identifier")
    type: str = field(RO, "the SR type that it serves")
    name_label: str = field(RO, "the driver's name")
    name_description: str = field(RO, "what it keeps disks on")
    vendor: str = field(RO, "who makes it")
    copyright: str = field(RO, "whose work it is")
    version: str = field(RO, "the driver's version")
    required_api_version: str = field(RO, "version of the storage interface that it was written for")
    configuration: Mapping[str, str] = field(RO, "the device_config keys it takes, each with what it means")
    capabilities: Set[str] = field(RO, "what it can do, as words such as VDI_CREATE")
    features: Mapping[str, int] = field(RO, "what it can do, each with the version of that ability")
    supported_image_formats: Set[ImageFormatType] = field(RO, "formats of disks that it keeps, the preferred one first")
    driver_filename: str = field(RO, "the program it is; empty for drivers that are part of the daemon")
    required_cluster_stack: Set[str] = field(RO, "membership services that must run for it")
    other_config: Mapping[str, str] = field(RW, "more facts, for clients to keep", {})
