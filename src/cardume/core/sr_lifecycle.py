"""What may be done with an SR now, and the reason when it may not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.core.operations import why_busy
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.sr import StorageOperation as Op


@dataclass(frozen=True, slots=True)
class SRFacts:
    """An SR as these rules see it."""

    ref: str
    capabilities: frozenset[str] = frozenset()  # of its driver: VDI_CREATE, VDI_CLONE …
    has_pbds: bool = True
    attached: bool = True  # on some host
    indestructible: bool = False  # other_config says that nobody may delete it
    is_tools_sr: bool = False
    current_operations: Mapping[str, Op] = field(default_factory=dict)  # task to operation


CAPABILITIES: Mapping[Op, str | None] = {
    Op.SCAN: None,
    Op.UPDATE: None,
    Op.FORGET: None,
    Op.DESTROY: None,
    Op.PLUG: None,
    Op.UNPLUG: None,
    Op.PBD_CREATE: None,
    Op.PBD_DESTROY: None,
    Op.VDI_CREATE: "VDI_CREATE",
    Op.VDI_DESTROY: "VDI_DELETE",
    Op.VDI_RESIZE: "VDI_RESIZE",
    Op.VDI_RESIZE_ONLINE: "VDI_RESIZE_ONLINE",
    Op.VDI_CLONE: "VDI_CLONE",
    Op.VDI_SNAPSHOT: "VDI_SNAPSHOT",
    Op.VDI_COPY: "VDI_CREATE",  # a copy that goes to this SR
    Op.VDI_FORGET: None,
    Op.VDI_UPDATE: None,
}
"""What an operation needs of the SR's driver; one that is absent is not implemented yet."""

IMPLEMENTED_SR_OPERATIONS = frozenset(CAPABILITIES)

_LINKS = frozenset({Op.PLUG, Op.UNPLUG, Op.PBD_CREATE, Op.PBD_DESTROY})
_DISKS = frozenset(
    {
        *(Op.VDI_CREATE, Op.VDI_DESTROY, Op.VDI_RESIZE, Op.VDI_RESIZE_ONLINE, Op.VDI_CLONE, Op.VDI_SNAPSHOT),
        *(Op.VDI_COPY, Op.VDI_FORGET, Op.VDI_UPDATE),
    }
)
_JOINING = frozenset({Op.UPDATE, Op.PLUG, Op.PBD_CREATE})
BESIDE: Mapping[Op, frozenset[Op]] = {
    # Each has a disk of its own. No scan beside them: it removes what a crash left half made, and could take what
    # another host is just making for such.
    **dict.fromkeys(_DISKS, _DISKS | _JOINING),
    Op.SCAN: _JOINING,
    Op.UPDATE: _DISKS | _JOINING | {Op.SCAN},
    Op.PLUG: _DISKS | _JOINING | _LINKS | {Op.SCAN},
    Op.PBD_CREATE: _DISKS | _JOINING | _LINKS | {Op.SCAN},
    Op.UNPLUG: _LINKS,
    Op.PBD_DESTROY: _LINKS,
}
"""Which operations may be running when another begins; none, where an operation is absent."""


def assert_can(sr: SRFacts, operation: Op) -> None:
    """Raise the reason why an operation may not begin on an SR."""
    if (reason := why_not(sr, operation)) is not None:
        raise reason


def allowed_operations(sr: SRFacts) -> tuple[Op, ...]:
    """The operations that an SR's clients may offer now."""
    return tuple(op for op in Op if why_not(sr, op) is None)


def why_not(sr: SRFacts, operation: Op) -> ApiError | None:
    """The first reason why an operation may not begin on an SR; None when it may."""
    if operation not in IMPLEMENTED_SR_OPERATIONS:
        return errors.NOT_IMPLEMENTED(f"SR operation {operation}")
    needed = CAPABILITIES[operation]
    if needed is not None and needed not in sr.capabilities:
        return errors.SR_OPERATION_NOT_SUPPORTED(sr.ref)
    return why_busy("SR", sr.ref, sr.current_operations, BESIDE.get(operation, ())) or _why_not_its_links(sr, operation)


def _why_not_its_links(sr: SRFacts, operation: Op) -> ApiError | None:
    match operation:
        case Op.FORGET:
            return errors.SR_HAS_PBD(sr.ref) if sr.attached else None
        case Op.DESTROY:
            return _why_not_destroyed(sr)
        case Op.PBD_CREATE | Op.VDI_FORGET:
            return None
        case Op.PLUG | Op.PBD_DESTROY:
            return None if sr.has_pbds else errors.SR_HAS_NO_PBDS(sr.ref)
        case _:
            if not sr.has_pbds:
                return errors.SR_HAS_NO_PBDS(sr.ref)
            return None if sr.attached else errors.SR_NOT_ATTACHED(sr.ref)


def _why_not_destroyed(sr: SRFacts) -> ApiError | None:
    if sr.indestructible or sr.is_tools_sr:
        return errors.SR_INDESTRUCTIBLE(sr.ref)
    if sr.attached:
        return errors.SR_HAS_PBD(sr.ref)
    # Some host has to reach what is to be deleted.
    return None if sr.has_pbds else errors.SR_HAS_NO_PBDS(sr.ref)
