"""Needs a lab. Proves that its cables are real, one by one and both at once."""

from cardume.lab.handle import LabHandle
from cardume.lab.layout import Network


def test_an_unplugged_host_is_silent_until_it_is_plugged_again(lab: LabHandle) -> None:
    assert lab.answers_ping(lab.address("d1-g1"))
    assert lab.answers_ping(lab.address("d1-g1", Network.STORAGE))
    lab.unplug("d1-g1")
    assert not lab.answers_ping(lab.address("d1-g1"), timeout_s=0)
    assert not lab.answers_ping(lab.address("d1-g1", Network.STORAGE), timeout_s=0)
    lab.plug("d1-g1")
    assert lab.answers_ping(lab.address("d1-g1"))
    assert lab.answers_ping(lab.address("d1-g1", Network.STORAGE))


def test_one_cable_can_be_pulled_alone(lab: LabHandle) -> None:
    lab.unplug("d2-g1", Network.STORAGE)
    assert lab.answers_ping(lab.address("d2-g1"))
    assert not lab.answers_ping(lab.address("d2-g1", Network.STORAGE), timeout_s=0)
    lab.plug("d2-g1", Network.STORAGE)
    assert lab.answers_ping(lab.address("d2-g1", Network.STORAGE))


def test_a_pulled_cable_stays_pulled_over_a_power_cut(lab: LabHandle) -> None:
    lab.unplug("d2-g1", Network.STORAGE)
    lab.power_off("d2-g1")
    lab.power_on("d2-g1")
    assert lab.answers_ping(lab.address("d2-g1"))
    assert not lab.answers_ping(lab.address("d2-g1", Network.STORAGE), timeout_s=0)
    lab.plug("d2-g1", Network.STORAGE)
    assert lab.answers_ping(lab.address("d2-g1", Network.STORAGE))


def test_hosts_find_each_other_by_name(lab: LabHandle) -> None:
    assert lab.exec("d1-g1", "getent", "hosts", "d2-g1").split() == [lab.address("d2-g1"), "d2-g1"]
    assert lab.exec("d2-g1", "getent", "hosts", "freenas").split() == [lab.address("freenas"), "freenas"]
