"""What a guest may be told of its maker and model."""

import pytest

from cardume.core.bios_strings import assert_valid
from cardume.datamodel.errors import ApiError


def test_known_keys_with_plain_text_pass() -> None:
    assert_valid({"bios-vendor": "Acme", "enclosure-asset-tag": "x" * 512})


@pytest.mark.parametrize(
    ("strings", "key"),
    [
        ({"bios-colour": "red"}, "bios-colour"),
        ({"bios-vendor": ""}, "bios-vendor"),
        ({"bios-vendor": "x" * 513}, "bios-vendor"),
        ({"system-version": "1\n2"}, "system-version"),
        ({"system-version": "é"}, "system-version"),
    ],
)
def test_others_are_refused_by_key(strings: dict[str, str], key: str) -> None:
    with pytest.raises(ApiError) as refused:
        assert_valid(strings)
    assert refused.value.description[:2] == ["INVALID_VALUE", key]
