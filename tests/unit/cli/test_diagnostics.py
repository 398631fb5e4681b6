"""What the diagnostic commands put together."""

from tests.unit.cli.pool_at_hand import PoolAtHand, Refusal, Shell


def told(out: str) -> list[list[str]]:
    """The values of each record that was printed."""
    return [[line.split(": ")[1] for line in part.splitlines()] for part in out.split("\n\n\n") if part.strip()]


def room() -> Shell:
    pool = PoolAtHand()
    one, two = pool.add("host", "one", name_label="d1"), pool.add("host", "two", name_label="d2")
    links = [
        pool.add("PBD", "link-1", host=one, currently_attached=True),
        pool.add("PBD", "link-2", host=two, currently_attached=False),
    ]
    sr = pool.add("SR", "lun", name_label="lun", PBDs=links)
    vm = "OpaqueRef:web"
    disk = pool.add("VBD", "drive", VM=vm, VDI="OpaqueRef:disk", userdevice="0", mode="RW", currently_attached=True)
    empty = pool.add("VBD", "cd", VM=vm, empty=True)
    pool.add("VDI", "disk", SR=sr, VBDs=[disk])
    pool.add("VM", "web", name_label="web", VBDs=[disk, empty], power_state="Running")

    def can_boot(_vm: str, host: str) -> str:
        if host == two:
            raise Refusal("VM_REQUIRES_SR", vm, sr)
        return ""

    pool.answers["VM.assert_can_boot_here"] = can_boot
    return Shell(pool)


LINKS = [["uuid-of-link-1", "lun", "d1", "true"], ["uuid-of-link-2", "lun", "d2", "false"]]
USER = ["uuid-of-drive", "web", "running", "0", "RW", "true"]


def test_for_each_host_it_is_said_whether_a_vm_could_run_there_and_who_reaches_its_disks() -> None:
    out = room().xe("diagnostic-vm-status", "uuid=uuid-of-web").out
    hosts = [["uuid-of-one", "d1", "yes"], ["uuid-of-two", "d2", "VM_REQUIRES_SR"]]
    assert told(out) == [*hosts, USER, *LINKS]


def test_who_reaches_a_disk_and_who_uses_it() -> None:
    assert told(room().xe("diagnostic-vdi-status", "uuid=uuid-of-disk").out) == [*LINKS, USER]
