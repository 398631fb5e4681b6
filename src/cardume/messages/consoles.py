"""The console objects of a VM that runs: its screen and its serial line, reached by way of the pool's master."""

from typing import Any

from cardume.datamodel.console import Console, ConsoleProtocol
from cardume.datamodel.pool import Pool
from cardume.datamodel.refs import Ref
from cardume.datamodel.vm import VM
from cardume.messages.guest_spec import has_serial_line
from cardume.pooldb.db import Transaction


def ensure_consoles(txn: Transaction, vm: Ref[VM]) -> None:
    """The VM that runs has its consoles; those that it has stay, wherever it runs."""
    record = txn.get(vm)
    present = {txn.get(console).protocol for console in record.consoles}
    serial = (ConsoleProtocol.VT100,) if has_serial_line(record) else ()
    for protocol in (ConsoleProtocol.RFB, *serial):
        if protocol not in present:
            made = txn.create(Console(protocol=protocol, VM=vm, location="", other_config={}))
            txn.update(made, location=_location(txn, txn.get(made).uuid))


def relocate_consoles(txn: Transaction, host: Ref[Any]) -> None:
    """A host has another address: if it is the master, every console is reached there."""
    if all(pool.master != host for pool in txn.all(Pool).values()):
        return
    for ref, console in txn.all(Console).items():
        txn.update(ref, location=_location(txn, console.uuid))


def _location(txn: Transaction, uuid: str) -> str:
    """At the master's address, not at that of the VM's host: so it stays as it is when the VM moves."""
    ((_, pool),) = txn.all(Pool).items()
    address = txn.get(pool.master).address
    return f"https://{f'[{address}]' if ':' in address else address}/console?uuid={uuid}"
