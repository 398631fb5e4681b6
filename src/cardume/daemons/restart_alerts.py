"""What administrators are told of protected VMs that cannot be restarted: again and again, and that they run again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cardume.core.ha_alerts import restart_failed, restarted
from cardume.datamodel import api_messages
from cardume.datamodel.message import AlertClass, Message
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.datamodel.vm_enums import VMPowerState
from cardume.messages.message import add_alert
from cardume.pooldb.db import Database

REPEAT = timedelta(minutes=30)
"""XenServer tells at each try, every two minutes: nobody reads the fiftieth."""
TRIES = 2
"""A VM that could not be started once is tried again at once."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """A VM that was told of, and has not run since. `tries`: 0 when an earlier daemon has counted them."""

    at: datetime
    tries: int = 0


class RestartAlerts:
    """Raises the two alerts; what an earlier daemon, or master, has told is read from the pool's messages."""

    def __init__(self, db: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._db, self._now = db, now
        self._told: dict[str, _Failed] | None = None  # by the VM's uuid

    async def failed(self, vm: Ref[VM], reason: str, tries: int) -> None:
        """It was tried in vain once more."""
        record, told = self._db.find(vm), self._failed()
        if record is None or tries < TRIES:
            return
        before = told.get(record.uuid)
        if before is not None and self._now() - before.at < REPEAT:
            told[record.uuid] = replace(before, tries=tries)
            return
        async with self._db.transaction() as txn:
            body = restart_failed(record.name_label, reason, tries)
            add_alert(txn, api_messages.HA_PROTECTED_VM_RESTART_FAILED, AlertClass.VM, record.uuid, body)
        told[record.uuid] = _Failed(self._now(), tries)

    async def look(self) -> None:
        """Tell of each VM that runs again, whoever has started it."""
        told = self._failed()
        if not told:
            return
        vms = {vm.uuid: vm for vm in self._db.all(VM).values() if vm.uuid in told}
        for uuid in told.keys() - vms.keys():
            del told[uuid]
        for uuid, vm in vms.items():
            host = self._db.find(vm.resident_on)
            if vm.power_state is VMPowerState.RUNNING and host is not None and not vm.current_operations:
                async with self._db.transaction() as txn:
                    body = restarted(vm.name_label, host.name_label, told[uuid].tries)
                    add_alert(txn, api_messages.HA_PROTECTED_VM_RESTARTED, AlertClass.VM, uuid, body)
                del told[uuid]

    def _failed(self) -> dict[str, _Failed]:
        if self._told is None:
            self._told = {}
            for alert in sorted(self._db.all(Message).values(), key=lambda alert: alert.timestamp):
                if alert.name == api_messages.HA_PROTECTED_VM_RESTART_FAILED.name:
                    self._told[alert.obj_uuid] = _Failed(alert.timestamp)
                elif alert.name == api_messages.HA_PROTECTED_VM_RESTARTED.name:
                    self._told.pop(alert.obj_uuid, None)
        return self._told
