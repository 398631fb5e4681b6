"""What the kernel tells of a network card under /sys: its cable, its speed, and what it is."""

from dataclasses import dataclass
from pathlib import Path

SYS = Path("/sys/class/net")
PCI_IDS = Path("/usr/share/misc/pci.ids")
_LONGEST_ID = 6  # 0x1af4


@dataclass(frozen=True, slots=True)
class CardFacts:
    """A card as it is now; empty text is unknown, as on a card that is no PCI device."""

    carrier: bool
    speed_mbps: int = 0  # 0: unknown
    duplex: bool = False
    vendor_id: str = ""
    vendor_name: str = ""
    device_id: str = ""
    device_name: str = ""
    pci_bus_path: str = ""


def read_card(name: str, sys: Path = SYS, pci_ids: Path = PCI_IDS) -> CardFacts:
    """The facts about a card; one that is gone has no carrier."""
    folder = sys / name
    device = folder / "device"
    pci = device.resolve().name if device.exists() else ""
    vendor, model = _id(device / "vendor"), _id(device / "device")
    vendor_name, model_name = _names(vendor, model, pci_ids) if vendor else ("", "")
    return CardFacts(
        carrier=_read(folder / "carrier") == "1",
        speed_mbps=_speed(_read(folder / "speed")),
        duplex=_read(folder / "duplex") == "full",
        vendor_id=vendor,
        vendor_name=vendor_name,
        device_id=model,
        device_name=model_name or _driver(device),
        pci_bus_path=pci if vendor else "",
    )


def _names(vendor: str, device: str, pci_ids: Path) -> tuple[str, str]:
    """A vendor's and its device's names from the system's list of PCI numbers; empty where it has none."""
    found = ""
    for line in _read(pci_ids, strip=False).splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith("\t"):
            if found:
                return found, ""
            found = line[4:].strip() if line.startswith(vendor) else ""
        elif found and line.startswith(f"\t{device}"):
            return found, line[5:].strip()
    return found, ""


def _driver(device: Path) -> str:
    driver = device / "driver"
    return driver.resolve().name if driver.exists() else ""


def _id(path: Path) -> str:
    text = _read(path)
    return text.removeprefix("0x") if text.startswith("0x") and len(text) == _LONGEST_ID else ""


def _speed(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _read(path: Path, *, strip: bool = True) -> str:
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""  # not there, or a card without carrier has no speed
    return text.strip() if strip else text
