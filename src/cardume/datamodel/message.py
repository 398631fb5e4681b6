"""message: an alert for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from cardume.datamodel.declare import RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role
from cardume.datamodel.wiretypes import Set


@named("cls")
class AlertClass(StrEnum):
    """The kind of object that an alert is about."""

    VM = "VM"
    HOST = "Host"
    SR = "SR"
    POOL = "Pool"
    VMPP = "VMPP"
    VMSS = "VMSS"
    PVS_PROXY = "PVS_proxy"
    VDI = "VDI"
    CERTIFICATE = "Certificate"


@xenclass(name="message", role=Role.POOL_OPERATOR, implied=False)
class Message:
    """An alert: something that happened and that an administrator should know."""

    uuid: str = field(RO, "the object's unique identifier")
    name: str = field(RO, "the kind of the alert, for instance VM_STARTED")
    priority: int = field(RO, "how urgent it is: 1 is the most, 5 the least")
    cls: AlertClass = field(RO, "the kind of the object that it is about", AlertClass.VM)
    obj_uuid: str = field(RO, "the uuid of the object that it is about")
    timestamp: datetime = field(RO, "when it happened")
    body: str = field(RO, "the details, for people to read")

    @message(has_async=False)
    @staticmethod
    def create(name: str, priority: int, cls: AlertClass, obj_uuid: str, body: str) -> Ref[Message]:
        """Raise an alert about an object."""

    @message(has_async=False)
    def destroy(self) -> None:
        """Dismiss the alert."""

    @message()
    @staticmethod
    def destroy_many(messages: Set[Ref[Message]]) -> None:
        """Dismiss these alerts."""

    @message()
    @staticmethod
    def destroy_all(filters: Mapping[str, str]) -> None:
        """Dismiss every alert that fits the filters."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def get(cls: AlertClass, obj_uuid: str, since: datetime) -> Mapping[Ref[Message], Message]:
        """The alerts about one object since a time, with their records."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def get_since(since: datetime) -> Mapping[Ref[Message], Message]:
        """The alerts since a time, with their records."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def get_all() -> Set[Ref[Message]]:
        """Every alert."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def get_all_records() -> Mapping[Ref[Message], Message]:
        """Every alert with its record."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def get_all_records_where(expr: str) -> Mapping[Ref[Message], Message]:
        """Every alert that satisfies the expression, with its record."""

    @message(role=Role.READ_ONLY, has_async=False)
    def get_record(self) -> Message:
        """The whole alert."""

    @message(role=Role.READ_ONLY, has_async=False)
    @staticmethod
    def get_by_uuid(uuid: str) -> Ref[Message]:
        """The alert with this uuid."""
