"""A pool in memory that answers XML-RPC as the API does, and `xe` run against it without a process or a socket."""

import io
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardume.cli.arguments import Settings
from cardume.cli.server import Server
from cardume.cli.xe import run
from cardume.datamodel.schema import schema
from cardume.datamodel.values import to_plain
from cardume.datamodel.wiretypes import zero

NULL = "OpaqueRef:NULL"
PASSWORD = "secret-pw"

Answer = Callable[..., Any]


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, *description: str) -> None:
        super().__init__(*description)
        self.description = list(description)


class PoolAtHand(xmlrpc.client.Transport):
    """Records by class and reference. Calls are noted; messages that do more than read or write fields are scripted."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[str, dict[str, Any]]] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Answer] = {}
        self.logged_out = False

    def add(self, cls_: str, name_: str, /, **values: Any) -> str:
        """Put an object in; its reference and uuid are made of its name."""
        ref = f"OpaqueRef:{name_}"
        fields = schema().classes[cls_].fields.values()
        blank = {one.name: to_plain(zero(one.type), one.type) for one in fields}
        assert not values.keys() - blank.keys(), values.keys() - blank.keys()
        self.records.setdefault(cls_, {})[ref] = {**blank, "uuid": f"uuid-of-{name_}", **values}
        return ref

    def done(self, *methods: str) -> list[tuple[Any, ...]]:
        """The noted calls that change something, or those of these methods."""
        reading = (".get_", "session.", "task.", "event.")
        return [
            call
            for call in self.calls
            if (call[0] in methods if methods else not any(word in call[0] for word in reading))
        ]

    def request(self, host: Any, handler: str, request_body: Any, verbose: bool = False) -> Any:
        params, method = xmlrpc.client.loads(request_body)
        assert method is not None
        try:
            answer = self._answer(method, list(params))
        except Refusal as refusal:
            status = {"Status": "Failure", "ErrorDescription": refusal.description}
        else:
            status = {"Status": "Success", "Value": answer}
        # Through the wire's form and back, so that a value which XML-RPC cannot carry is found.
        body = xmlrpc.client.dumps((_as_sent(status),), methodresponse=True)
        return xmlrpc.client.loads(body)[0]

    def _answer(self, method: str, params: list[Any]) -> Any:
        if method in ("session.login_with_password", "session.slave_local_login_with_password"):
            if params[1] != PASSWORD:
                raise Refusal("SESSION_AUTHENTICATION_FAILED", params[0], "Authentication failure")
            return "OpaqueRef:session"
        assert params[0] == "OpaqueRef:session", "every call but the login carries the session"
        if method in ("session.logout", "session.local_logout"):
            self.logged_out = True
            return ""
        return self._do(method, params[1:])

    def _do(self, method: str, params: list[Any]) -> Any:
        if method.startswith("Async."):
            return self._as_task(method.removeprefix("Async."), params)
        self.calls.append((method, *params))
        if method in self.answers:
            return self.answers[method](*params)
        cls, _, verb = method.partition(".")
        return self._access(cls, verb, params)

    def _as_task(self, method: str, params: list[Any]) -> str:
        try:
            result = self._do(method, params)
            values = {"status": "success", "progress": 1.0, "result": f"<value>{result}</value>"}
        except Refusal as refusal:
            values = {"status": "failure", "progress": 1.0, "error_info": refusal.description}
        return self.add("task", f"task-{len(self.records.get('task', {}))}", **values)

    def _access(self, cls: str, verb: str, params: list[Any]) -> Any:
        table = self.records.setdefault(cls, {})
        match verb:
            case "get_all_records":
                return table
            case "get_all":
                return list(table)
            case "get_all_records_where":
                return {ref: record for ref, record in table.items() if _holds(params[0], record)}
            case "get_by_uuid":
                found = [ref for ref, record in table.items() if record["uuid"] == params[0]]
                if not found:
                    raise Refusal("UUID_INVALID", cls, params[0])
                return found[0]
            case "get_by_name_label":
                return [ref for ref, record in table.items() if record["name_label"] == params[0]]
            case "create":
                return self.add(cls, f"new-{cls}-{len(table)}", **params[0])
        ref, *rest = params
        if ref not in table:
            raise Refusal("HANDLE_INVALID", cls, ref)
        return self._access_field(table, ref, verb, rest)

    def _access_field(self, table: dict[str, dict[str, Any]], ref: str, verb: str, rest: list[Any]) -> Any:
        record = table[ref]
        if verb == "get_record":
            return record
        if verb == "destroy":
            del table[ref]
            return ""
        for prefix in ("remove_from_", "add_to_", "remove_", "add_", "set_", "get_"):
            name = verb.removeprefix(prefix)
            if verb.startswith(prefix) and name in record:
                return _change(record, prefix, name, rest)
        raise Refusal("MESSAGE_METHOD_UNKNOWN", verb)


def _change(record: dict[str, Any], prefix: str, name: str, rest: list[Any]) -> Any:
    match prefix, rest:
        case "get_", []:
            return record[name]
        case "set_", [value]:
            record[name] = value
        case "add_to_", [key, value]:
            record[name] = {**record[name], key: value}
        case "remove_from_", [key]:
            record[name] = {k: v for k, v in record[name].items() if k != key}
        case "add_", [value]:
            record[name] = [*record[name], value]
        case "remove_", [value]:
            record[name] = [item for item in record[name] if item != value]
        case _:
            raise Refusal("MESSAGE_PARAMETER_COUNT_MISMATCH", prefix + name)
    return ""


def _holds(expression: str, record: dict[str, Any]) -> bool:
    """The few expressions that `xe` sends: equalities, joined by `and`, with one group joined by `or`."""
    texts = {
        name: (str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in record.items()
        if isinstance(value, bool | str | int)
    }

    def equal(term: str) -> bool:
        name, value = (part.strip() for part in term.split(" = "))
        return texts.get(name.removeprefix("field ").strip('"')) == value.strip('"')

    return all(any(map(equal, part.strip("()").split(" or "))) for part in expression.split(" and "))


def _as_sent(value: Any) -> Any:
    match value:
        case bool() | float() | str():
            return value
        case int():
            return str(value)
        case dict():
            return {str(key): _as_sent(item) for key, item in value.items()}
        case _:
            return [_as_sent(item) for item in value]


@dataclass
class Outcome:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The only line that was printed."""
        assert self.out.count("\n") == 1, self.out
        return self.out.removesuffix("\n")


class Typing(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


@dataclass
class Shell:
    """Where `xe` is typed."""

    pool: PoolAtHand
    settings: list[Settings] = field(default_factory=list)

    def xe(self, *arguments: str, typed: str = "", **environment: str) -> Outcome:
        """Run a command as root."""
        user = [] if "XE_EXTRA_ARGS" in environment else ["-s", "pool", "-u", "root", "-pw", PASSWORD]
        out, err = io.StringIO(), io.StringIO()
        home = Path("/nowhere")
        code = run([*user, *arguments], environment, home, out, err, Typing(typed), self._connect)
        return Outcome(code, out.getvalue(), err.getvalue())

    def _connect(self, settings: Settings) -> Server:
        self.settings.append(settings)
        return Server(self.pool, "pool")


def small_pool() -> PoolAtHand:
    """A host, two SRs, a template with its disk, a VM that runs and one that does not, as after a first day's work."""
    pool = PoolAtHand()
    host = pool.add("host", "host", name_label="d1-g1", name_description="first", hostname="d1-g1", address="10.0.0.1")
    local = pool.add("SR", "local", name_label="Local storage", type="ext", content_type="user", shared=False)
    isos = pool.add("SR", "isos", name_label="ISO library", type="iso", content_type="iso", shared=True)
    pool.add("pool", "pool", name_label="pool-g1", master=host, default_SR=local)
    pbds = [
        pool.add(
            "PBD",
            f"pbd-{sr[10:]}",
            host=host,
            SR=sr,
            currently_attached=True,
            device_config={"location": "/srv", "type": "x"},
        )
        for sr in (local, isos)
    ]
    for sr, pbd in zip((local, isos), pbds, strict=True):
        pool.records["SR"][sr]["PBDs"] = [pbd]
    network = pool.add("network", "lan", name_label="LAN", bridge="br0", MTU=1500, tags=["a", "b,c"])
    pool.add(
        "PIF",
        "eth0",
        device="eth0",
        MAC="52:54:00:00:00:01",
        host=host,
        network=network,
        VLAN=-1,
        currently_attached=True,
    )
    metrics = pool.add("VM_metrics", "metrics", memory_actual=2**30, start_time="20260102T03:04:05Z", hvm=True)
    guest = pool.add(
        "VM_guest_metrics",
        "guest",
        networks={"0/ip": "10.0.0.100", "0/ipv4/0": "10.0.0.100"},
        os_version={"name": "Alpine"},
        PV_drivers_detected=True,
        live=True,
    )
    disk = pool.add("VDI", "disk", name_label="vm-1 disk", SR=local, virtual_size=8 * 2**30, type="user", managed=True)
    cd = pool.add("VDI", "cd", name_label="debian.iso", SR=isos, virtual_size=2**29, type="user", read_only=True)
    vm = pool.add(
        "VM",
        "vm-1",
        name_label="vm-1",
        power_state="Running",
        resident_on=host,
        metrics=metrics,
        guest_metrics=guest,
        VCPUs_max=2,
        VCPUs_at_startup=2,
        memory_static_max=2**30,
        domid=7,
        platform={"viridian": "true", "nx": "true"},
        tags=["web"],
        allowed_operations=["clean_shutdown"],
    )
    pool.add("VM", "vm-2", name_label="vm-2", power_state="Halted", name_description="spare, cold", domid=-1)
    pool.add(
        "VM",
        "dom0",
        name_label="Control domain on host: d1-g1",
        power_state="Running",
        is_control_domain=True,
        resident_on=host,
    )
    pool.add(
        "VM",
        "template",
        name_label="Cardume lab guest",
        is_a_template=True,
        power_state="Halted",
        other_config={"disks": '<provision><disk device="0" size="1" sr="" bootable="true"/></provision>'},
    )
    drives = [
        pool.add(
            "VBD",
            "drive",
            VM=vm,
            VDI=disk,
            device="xvda",
            userdevice="0",
            type="Disk",
            mode="RW",
            currently_attached=True,
            other_config={"owner": ""},
        ),
        pool.add("VBD", "cd-drive", VM=vm, VDI=NULL, userdevice="3", type="CD", mode="RO", empty=True),
    ]
    pool.records["VM"][vm]["VBDs"] = drives
    pool.records["VM"][vm]["VIFs"] = [
        pool.add("VIF", "card", VM=vm, network=network, device="0", MAC="52:54:00:aa:bb:cc", currently_attached=True)
    ]
    pool.records["VDI"][disk]["VBDs"] = [drives[0]]
    pool.records["SR"][local]["VDIs"], pool.records["SR"][isos]["VDIs"] = [disk], [cd]
    admin = pool.add("role", "admin", name_label="pool-admin", subroles=["OpaqueRef:permission"])
    pool.add("role", "permission", name_label="vm.start")
    pool.add("subject", "ana", subject_identifier="S-1-5", other_config={"subject-name": "ana"}, roles=[admin])
    pool.add("task", "work", name_label="VM.copy", status="pending", progress=0.25)
    pool.add(
        "message",
        "alert",
        name="VM_STARTED",
        priority=5,
        cls="VM",
        obj_uuid="uuid-of-vm-1",
        timestamp="20260102T03:04:06Z",
        body="vm-1 started",
    )
    return pool
