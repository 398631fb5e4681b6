"""Addresses of screens, there and back."""

import pytest

from cardume.console.presenters.places import Place, read_place


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/", Place("root")),
        ("/alerts", Place("alerts")),
        ("/pool/p", Place("pool", "p", "p")),
        ("/pool/p/storage", Place("pool", "p", "p", "storage")),
        ("/pool/p/vm/v", Place("vm", "p", "v")),
        ("/pool/p/vm/v/performance", Place("vm", "p", "v", "performance")),
        ("/pool/p/host/h/nics", Place("host", "p", "h", "nics")),
    ],
)
def test_an_address_leads_to_a_place_and_a_place_has_its_address(path: str, place: Place) -> None:
    assert read_place(path) == place
    assert place.path == path


@pytest.mark.parametrize("path", ["/nothing", "/pool/p/vm/v/nics", "/pool/p/pool/x", "/pool", "/pool/p/vm/v/general/x"])
def test_what_is_no_address_leads_nowhere(path: str) -> None:
    assert read_place(path).kind == "nowhere"
