"""What libvirt must be told on a host: QEMU's user, and that nothing else starts guests behind cardumed's back."""

from pathlib import Path

from cardume.hostops.durable import write_text
from cardume.hostops.run import run

QEMU_CONF = Path("/etc/libvirt/qemu.conf")
BEGIN, END = "# --- cardume: managed block, do not edit ---", "# --- cardume: end ---"

SETTINGS = {
    "security_driver": '"none"',
    "max_core": "0",
}


async def configure_libvirt(path: Path = QEMU_CONF, *, timeout_s: float = 60) -> None:
    """Write our settings into qemu.conf; libvirtd is restarted when they changed. Its guests run on."""
    before = path.read_text() if path.exists() else ""
    after = with_block(before)
    if after == before:
        return
    write_text(path, after, mode=0o600)
    await run("systemctl", "restart", "libvirtd.service", timeout_s=timeout_s)


def with_block(text: str) -> str:
    """The file's text with our block at its end, once."""
    head, begin, rest = text.partition(BEGIN + "\n")
    tail = rest.partition(END + "\n")[2] if begin else ""
    kept = (head + tail).rstrip("\n")
    block = "".join(f"{key} = {value}\n" for key, value in SETTINGS.items())
    return f"{kept}\n\n{BEGIN}\n{block}{END}\n" if kept else f"{BEGIN}\n{block}{END}\n"
