"""What /sys tells of a network card."""

from pathlib import Path

from cardume.hostops.network.card_facts import CardFacts, read_card


def test_a_pci_card_is_known_by_its_makers_names(tmp_path: Path) -> None:
    pci = tmp_path / "devices" / "0000:3b:00.1"
    pci.mkdir(parents=True)
    (pci / "vendor").write_text("0x8086\n")
    (pci / "device").write_text("0x1572\n")
    card = tmp_path / "net" / "eth0"
    card.mkdir(parents=True)
    (card / "device").symlink_to(pci)
    for name, text in {"carrier": "1\n", "speed": "10000\n", "duplex": "full\n"}.items():
        (card / name).write_text(text)
    numbers = tmp_path / "pci.ids"
    numbers.write_text("# list\n8085  Another\n\t1572  Wrong\n8086  Maker of chips\n\t1571  Older\n\t1572  Fast card\n")

    found = read_card("eth0", tmp_path / "net", numbers)

    assert found == CardFacts(True, 10000, True, "8086", "Maker of chips", "1572", "Fast card", "0000:3b:00.1")


def test_a_card_without_cable_or_slot_has_neither_speed_nor_maker(tmp_path: Path) -> None:
    card = tmp_path / "eth1"
    card.mkdir()
    (card / "carrier").write_text("0\n")
    (card / "speed").write_text("-1\n")
    (card / "duplex").write_text("unknown\n")

    assert read_card("eth1", tmp_path, tmp_path / "none") == CardFacts(carrier=False)
    assert read_card("gone", tmp_path, tmp_path / "none") == CardFacts(carrier=False)
