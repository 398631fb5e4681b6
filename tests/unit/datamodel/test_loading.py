"""Classes are loaded as they are asked for, and each program that needs few starts without the rest."""

import subprocess
import sys

import pytest

from cardume.datamodel import loading, vif, vm
from cardume.datamodel.host import Host
from cardume.datamodel.loading import value_of_annotation
from cardume.datamodel.refs import Ref
from cardume.datamodel.schema import is_declared

ASKING = """
import sys
from cardume.datamodel.schema import xenclass_named
print(len(xenclass_named("VIF").fields) > 20, "cardume.datamodel.pvs_site" in sys.modules)
from cardume.datamodel.schema import schema
print(schema().classes["VIF"] is xenclass_named("VIF"), "cardume.datamodel.pvs_site" in sys.modules)
"""


def test_one_class_alone_does_not_load_those_that_have_nothing_to_do_with_it() -> None:
    asked = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, timeout=60, check=True)

    assert asked.stdout == "True False\nTrue True\n"


def test_a_class_goes_before_a_field_of_its_name() -> None:
    assert value_of_annotation("Ref[vm.VM]", vars(vif)) == Ref[vm.VM]


def test_an_enum_of_a_module_that_only_type_checkers_import_is_found() -> None:
    found = value_of_annotation("UpdateGuidances", {})

    assert found.__module__ == Host.__module__


def test_a_name_that_nothing_declares_is_told() -> None:
    with pytest.raises(AssertionError, match="Nonsense is no class or enum of the data model"):
        value_of_annotation("Ref[Nonsense]", vars(loading) | {"Ref": Ref})


def test_a_class_that_is_gone_is_not_declared() -> None:
    assert is_declared("VM_guest_metrics")
    assert not is_declared("VMPP")
    assert not is_declared("vm")
