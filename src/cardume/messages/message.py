"""What alert messages do: things that happened and that an administrator should know."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from cardume.datamodel import errors
from cardume.datamodel.api_messages import Alert
from cardume.datamodel.message import AlertClass, Message
from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import schema
from cardume.datamodel.values import ValueFault, parse_datetime
from cardume.messages.call import Call
from cardume.messages.registry import implements
from cardume.pooldb.db import Database, Transaction

MOST_ALERTS = 10_000
"""Above it the oldest go, as nobody reads them and every new client fetches them all."""

Alerts = Mapping[Ref[Message], Message]
_CLASSES: Mapping[AlertClass, str] = {
    AlertClass.VM: "VM",
    AlertClass.HOST: "host",
    AlertClass.SR: "SR",
    AlertClass.POOL: "pool",
    AlertClass.VDI: "VDI",
    AlertClass.VMSS: "VMSS",
    AlertClass.PVS_PROXY: "PVS_proxy",
    AlertClass.CERTIFICATE: "Certificate",
}


async def raise_alert(
    db: Database, name: str, priority: int, cls: AlertClass, obj_uuid: str, body: str
) -> Ref[Message]:
    """Keep an alert, for whoever in the program has something to tell."""
    async with db.transaction() as txn:
        return add_alert(txn, Alert(name, priority), cls, obj_uuid, body)


def add_alert(txn: Transaction, alert: Alert, cls: AlertClass, obj_uuid: str, body: str) -> Ref[Message]:
    """The same, together with what it tells of."""
    _make_room(txn)
    now = datetime.now(UTC)
    made = Message(name=alert.name, priority=alert.priority, cls=cls, obj_uuid=obj_uuid, timestamp=now, body=body)
    return txn.create(made)


def _make_room(txn: Transaction) -> None:
    alerts = txn.all(Message)
    if len(alerts) >= MOST_ALERTS:
        oldest = min(alerts, key=lambda ref: (alerts[ref].timestamp, ref))
        txn.delete(oldest)


@implements("message.create")
async def create(call: Call, name: str, priority: int, cls: AlertClass, obj_uuid: str, body: str) -> Ref[Message]:
    _assert_exists(call, cls, obj_uuid)
    return await raise_alert(call.db, name, priority, cls, obj_uuid, body)


def _assert_exists(call: Call, cls: AlertClass, obj_uuid: str) -> None:
    """An alert about nothing cannot be shown anywhere."""
    known = schema().classes.get(_CLASSES.get(cls, ""))
    if known is None:
        raise errors.INVALID_VALUE("cls", cls.value)
    call.db.by_uuid(known.python, obj_uuid)


@implements("message.destroy")
async def destroy(call: Call, self: Ref[Message]) -> None:
    await call.db.delete(self)


@implements("message.destroy_many")
async def destroy_many(call: Call, messages: tuple[Ref[Message], ...]) -> None:
    """All that are there; one that another administrator dismissed meanwhile is no error."""
    async with call.db.transaction() as txn:
        for ref in messages:
            if txn.class_of(ref) in (None, "message"):
                txn.delete(ref)


@implements("message.destroy_all")
async def destroy_all(call: Call, filters: Mapping[str, str]) -> None:
    """Those that fit all filters: `cls`, `obj_uuid`, `name`, `priority`, or `before` and `after` with a time."""
    tests = [_filter(key, value) for key, value in filters.items()]
    fitting = [ref for ref, alert in call.db.all(Message).items() if all(test(alert) for test in tests)]
    await destroy_many(call, tuple(fitting))


def _filter(key: str, value: str) -> Callable[[Message], bool]:
    if key in ("cls", "obj_uuid", "name", "priority"):
        return lambda alert: str(getattr(alert, key)) == value
    if key not in ("before", "after"):
        raise errors.INVALID_VALUE("filters", key)
    try:
        limit = parse_datetime(value)
    except ValueFault:
        raise errors.INVALID_VALUE(key, value) from None
    return lambda alert: alert.timestamp < limit if key == "before" else alert.timestamp > limit


@implements("message.get")
async def get(call: Call, cls: AlertClass, obj_uuid: str, since: datetime) -> Alerts:
    return _select(call, lambda alert: alert.cls is cls and alert.obj_uuid == obj_uuid and alert.timestamp > since)


@implements("message.get_since")
async def get_since(call: Call, since: datetime) -> Alerts:
    return _select(call, lambda alert: alert.timestamp > since)


def _select(call: Call, test: Callable[[Message], bool]) -> Alerts:
    return {ref: alert for ref, alert in call.db.all(Message).items() if test(alert)}
