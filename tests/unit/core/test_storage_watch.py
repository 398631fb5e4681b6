"""When a lost link to storage is worth an alert, and when it is told that it is back."""

from cardume.core.storage_watch import LOST_S, Back, Lost, StorageWatch


def test_a_short_loss_is_not_worth_a_word() -> None:
    watch = StorageWatch()
    assert watch.look({"a": "no answer"}, 0.0) == []
    assert watch.look({"a": "no answer"}, LOST_S - 1) == []
    assert watch.look({"a": ""}, LOST_S) == []


def test_a_long_loss_is_told_once_and_its_end_as_well() -> None:
    watch = StorageWatch()
    watch.look({"a": "no answer", "b": ""}, 0.0)
    assert watch.look({"a": "no answer", "b": ""}, LOST_S) == [Lost("a", "no answer")]
    assert watch.look({"a": "still none", "b": ""}, 2 * LOST_S) == []
    assert watch.look({"a": "", "b": ""}, 60.0) == [Back("a", 60.0)]
    assert watch.look({"a": "", "b": ""}, 61.0) == []


def test_what_an_earlier_life_told_is_not_told_again_but_its_end_is() -> None:
    watch = StorageWatch()
    watch.remember("a", 0.0)
    assert watch.look({"a": "no answer"}, 30.0) == []
    assert watch.look({"a": ""}, 31.0) == [Back("a", 31.0)]


def test_a_link_that_is_gone_is_forgotten() -> None:
    watch = StorageWatch()
    watch.look({"a": "no answer"}, 0.0)
    watch.look({"a": "no answer"}, LOST_S)
    watch.forget(frozenset())
    assert watch.look({"a": ""}, 60.0) == []
