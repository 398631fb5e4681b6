"""The HTTP handlers of measurements: `/rrd_updates`, `/host_rrd`, `/vm_rrd` and Prometheus' `/metrics`.

Every host answers for itself and for the guests that run on it, as XenServer's do: clients ask each host's address.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import hdrs, web

from cardume.api.http_access import ACCESS, HEADERS, Handler, Transfer, TransferFailure, guarded, route
from cardume.api.prometheus_text import CONTENT_TYPE, Owner, render
from cardume.api.rrd_wire import (
    JSON_TYPE,
    XML_TYPE,
    archives_json,
    archives_xml,
    table_json,
    table_xml,
    wants_json,
)
from cardume.core.rrd import Fold
from cardume.core.rrd_file import load_archives
from cardume.datamodel import errors
from cardume.datamodel.errors import ApiError
from cardume.datamodel.host import Host
from cardume.datamodel.vm import VM
from cardume.hostops.metrics.host_meter import HostMeter
from cardume.pooldb.db import Database

METRICS = "/metrics"

FindHistory = Callable[[str], Awaitable[bytes | str | None]]
"""The history of a VM that is not measured here, or the address of the host to ask; None when there is neither."""


def metric_handlers(db: Database, meter: HostMeter, find_history: FindHistory) -> Mapping[tuple[str, str], Handler]:
    """The handlers, for `Parts.handlers`."""
    served = _Metrics(db, meter, find_history)
    works = {
        "rrd_updates": served.updates,
        "host_rrd": served.host,
        "get_host_rrds": served.host,
        "vm_rrd": served.vm,
        "get_vm_rrds": served.vm,
    }
    handlers = {route(name): guarded(name, work, makes_task=False) for name, work in works.items()}
    return {**handlers, (hdrs.METH_GET, METRICS): served.metrics}


class _Metrics:
    def __init__(self, db: Database, meter: HostMeter, find_history: FindHistory) -> None:
        self._db, self._meter, self._find_history = db, meter, find_history

    async def updates(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        """Rows since a moment; of all guests here unless some are named, of the host when it is asked for."""
        query = request.query
        folds = _folds(query.get("cf", ""))
        start_s, interval_s = _number(query, "start", None), _number(query, "interval", 0.0)
        vms = frozenset(query.getall("vm_uuid")) if "vm_uuid" in query else None
        table = self._meter.table(folds, interval_s, start_s, host=query.get("host", "") == "true", vms=vms)
        if _is_json(request):
            return _answer(await asyncio.to_thread(table_json, table), JSON_TYPE)
        return _answer(await asyncio.to_thread(table_xml, table), XML_TYPE)

    async def host(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        """All that is kept of this host."""
        history = await self._meter.history(self._meter.host)
        assert history is not None, "the host itself is always measured"
        return await _whole(request, history)

    async def vm(self, request: web.Request, transfer: Transfer) -> web.StreamResponse:
        """All that is kept of a VM, wherever in the pool it is."""
        uuid = transfer.arguments.get("uuid", "")
        found: bytes | str | None = None
        if self._meter.is_present(f"vm:{uuid}"):
            found = await self._meter.history(f"vm:{uuid}")
        if found is None:
            found = await self._find_history(uuid)
        if found is None:
            raise TransferFailure(404, errors.UUID_INVALID("VM", uuid[:80]))
        if isinstance(found, str):
            where = f"https://{found}{request.rel_url.raw_path_qs}"
            return web.Response(status=302, headers={**HEADERS, hdrs.LOCATION: where})
        return await _whole(request, found)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """What is measured now, for whoever may log in."""
        async with request.app[ACCESS].identified(request, "metrics"):
            owners = [Owner(*self._labels(name), sources) for name, sources in self._meter.present().items()]
            response = web.Response(body=render(owners).encode(), headers=HEADERS)
            response.headers[hdrs.CONTENT_TYPE] = CONTENT_TYPE
            return response

    def _labels(self, owner: str) -> tuple[str, Mapping[str, str]]:
        kind, _, uuid = owner.partition(":")
        try:
            if kind == "host":
                name = self._db.get(self._db.by_uuid(Host, uuid)).name_label
            else:
                name = self._db.get(self._db.by_uuid(VM, uuid)).name_label
        except ApiError:
            return kind, {"uuid": uuid}  # on a member, whose copy of the database may be a little old
        return kind, {"uuid": uuid, "name": name}


def _folds(name: str) -> tuple[Fold, ...]:
    if not name:
        return tuple(Fold)
    if name == "LAST":
        return ()  # XenServer takes the word, and keeps no such archive either
    try:
        return (Fold(name),)
    except ValueError:
        raise TransferFailure(400, errors.INVALID_VALUE("cf", name[:80])) from None


def _number(query: Mapping[str, str], name: str, default: float | None) -> float:
    text = query.get(name, "")
    if not text and default is not None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TransferFailure(400, errors.INVALID_VALUE(name, text[:80]))
    return value


async def _whole(request: web.Request, history: bytes) -> web.Response:
    is_json = _is_json(request)

    def text() -> str:
        archives = load_archives(history)
        return archives_json(archives) if is_json else archives_xml(archives)

    return _answer(await asyncio.to_thread(text), JSON_TYPE if is_json else XML_TYPE)


def _is_json(request: web.Request) -> bool:
    return wants_json(request.headers.get(hdrs.ACCEPT), "json" in request.query)


def _answer(text: str, content_type: str) -> web.Response:
    return web.Response(text=text, content_type=content_type, headers=HEADERS)
