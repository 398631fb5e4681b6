"""Which layers may be merged now: a decision, as a table, and what holds for any tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardume.hostops.storage.driver import Merge, Usage
from cardume.hostops.storage.merging import Tree, is_possible, plan_merge

# Volumes are single letters, images are `r` (the root), then a, b, c upwards, as the sidecars would name them.
CHAIN = {"r.qcow2": None, "a.qcow2": "r.qcow2", "b.qcow2": "a.qcow2", "c.qcow2": "b.qcow2"}
RAW = {"r.raw": None, "a.qcow2": "r.raw", "b.qcow2": "a.qcow2"}
FORK = {**CHAIN, "x.qcow2": "a.qcow2"}
NOBODY = Usage()


def heads(**by_volume: str) -> tuple[tuple[str, str], ...]:
    return tuple((volume, image + ".qcow2") for volume, image in by_volume.items())


def writes(*volumes: str) -> Usage:
    return Usage(writers=frozenset(volumes))


@pytest.mark.parametrize(
    ("backing", "content", "usage", "merge"),
    [
        # Nobody needs r, a, b by themselves: the lowest two are first.
        (CHAIN, heads(D="c"), NOBODY, Merge("r.qcow2", "a.qcow2", "D")),
        # Every image is a snapshot's, or the disk's.
        (CHAIN, heads(R="r", A="a", B="b", D="c"), NOBODY, None),
        # The snapshot of r is gone: r takes what a has, a being a snapshot still.
        (CHAIN, heads(A="a", B="b", D="c"), NOBODY, Merge("r.qcow2", "a.qcow2", "D")),
        (CHAIN, heads(R="r", B="b", D="c"), NOBODY, Merge("a.qcow2", "b.qcow2", "D")),
        # Two stand on a: it can be merged down, not up.
        (FORK, heads(R="r", D="c", X="x", B="b"), NOBODY, None),
        (FORK, heads(D="c", X="x", B="b"), NOBODY, Merge("r.qcow2", "a.qcow2", "D")),
        # The guest has all of it open: inner layers, then its own.
        (CHAIN, heads(B="b", D="c"), writes("D"), Merge("r.qcow2", "a.qcow2", "D", is_live=True, above="b.qcow2")),
        (CHAIN, heads(R="r", A="a", D="c"), writes("D"), Merge("b.qcow2", "c.qcow2", "D", is_live=True)),
        (CHAIN, heads(R="r", A="a", B="b", D="c"), writes("D"), None),
        # A guest's own layer on which a clone stands, or which a snapshot is made of, is no place to go away from.
        ({**CHAIN, "x.qcow2": "c.qcow2"}, heads(R="r", A="a", D="c", X="x"), writes("D"), None),
        (CHAIN, heads(R="r", A="a", D="c", S="c"), writes("D"), None),
        # Two layers stand on the top: QEMU would tell only one of them.
        (FORK, heads(D="c", X="x", B="b"), writes("D"), None),
        # Two guests have the base open, or one that cannot be asked.
        (FORK, heads(D="c", X="x", B="b"), writes("D", "X"), None),
        (CHAIN, heads(D="c"), Usage(others=frozenset({"D"})), None),
        (CHAIN, heads(B="b", D="c"), Usage(writers=frozenset({"D"}), others=frozenset({"B"})), None),
        # A raw base is for a time without guests.
        (RAW, heads(D="b"), NOBODY, Merge("r.raw", "a.qcow2", "D")),
        (RAW, heads(D="b"), writes("D"), Merge("a.qcow2", "b.qcow2", "D", is_live=True)),
        # What failed a while ago lets the next ones through.
        (
            CHAIN,
            heads(D="c"),
            Usage(avoid=frozenset({("r.qcow2", "a.qcow2")})),
            Merge("a.qcow2", "b.qcow2", "D"),
        ),
        # Nothing needs these: they are the sweep's.
        (CHAIN, (), NOBODY, None),
    ],
)
def test_the_next_merge(
    backing: dict[str, str | None], content: tuple[tuple[str, str], ...], usage: Usage, merge: Merge | None
) -> None:
    snapshots = frozenset(volume for volume, _ in content) - {"D", "X"}
    assert plan_merge(Tree(backing, content, snapshots), usage) == merge


def test_a_merge_is_named_for_a_disk_rather_than_for_its_snapshot() -> None:
    tree = Tree(CHAIN, heads(B="b", D="c"), frozen=frozenset({"B"}))
    assert plan_merge(tree, NOBODY) == Merge("r.qcow2", "a.qcow2", "D")


@pytest.mark.parametrize("pinned", ["r.qcow2", "a.qcow2"])
def test_what_a_fork_keeps_is_left_alone(pinned: str) -> None:
    tree, merge = Tree(CHAIN, heads(A="a", B="b", D="c")), Merge("r.qcow2", "a.qcow2", "A")
    assert plan_merge(tree, NOBODY, pinned=frozenset({pinned})) is None
    assert is_possible(tree, merge, pinned=frozenset(), opened=())
    assert not is_possible(tree, merge, pinned=frozenset({pinned}), opened=())


def test_a_merge_is_not_possible_any_more_when_somebody_came_to_need_the_base() -> None:
    merge = Merge("r.qcow2", "a.qcow2", "D")
    alone = Tree(CHAIN, heads(D="c"))
    assert is_possible(alone, merge, pinned=frozenset(), opened=("E",))
    assert not is_possible(alone, merge, pinned=frozenset(), opened=("D",))
    assert not is_possible(Tree(CHAIN, heads(D="c", R="r")), merge, pinned=frozenset(), opened=())
    assert not is_possible(
        Tree({**CHAIN, "x.qcow2": "r.qcow2"}, heads(D="c", X="x")), merge, pinned=frozenset(), opened=()
    )
    live = Merge("r.qcow2", "a.qcow2", "D", is_live=True, above="b.qcow2")
    assert is_possible(alone, live, pinned=frozenset(), opened=("D",))
    assert not is_possible(Tree(FORK, heads(D="c", X="x")), live, pinned=frozenset(), opened=("D", "X"))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Up to nine images, each on an earlier one or on nothing, and volumes in some of them; only what is needed."""
    names = [f"{number}.qcow2" for number in range(draw(st.integers(1, 9)))]
    under = {name: draw(st.sampled_from([None, *names[:at]])) for at, name in enumerate(names)}
    content = tuple((f"v{at}", draw(st.sampled_from(names))) for at in range(draw(st.integers(0, 5))))
    whole = Tree(under, content)
    needed = {image for _, head in content for image in whole.chain(head)}
    return Tree({name: under[name] for name in names if name in needed}, content)


def read(tree: Tree, image: str) -> list[str]:
    """What an image reads as: the names of all that was ever written there, the newest first."""
    return list(tree.chain(image))


@given(trees(), st.sets(st.sampled_from([f"v{n}" for n in range(5)])))
def test_merging_ends_keeps_what_every_volume_reads_and_leaves_no_pair_without_users(
    tree: Tree, writers: set[str]
) -> None:
    usage = Usage(writers=frozenset(writers))
    steps = 0
    while (merge := plan_merge(tree, usage)) is not None:
        steps += 1
        assert steps < 10
        before = {uuid: read(tree, head) for uuid, head in tree.heads}
        backing = dict(tree.backing)
        if merge.is_live:
            # The base now has the top's blocks too; the layer above, or the guest, goes on from there.
            content = tuple((uuid, merge.base if head == merge.top else head) for uuid, head in tree.heads)
            backing = {name: merge.base if at == merge.top else at for name, at in backing.items()}
            del backing[merge.top]
            new = Tree(backing, content)
            gone, stays = merge.top, merge.base
        else:
            backing[merge.top] = backing.pop(merge.base)
            new = Tree(backing, tree.heads)
            gone, stays = merge.base, merge.top
        for uuid, head in new.heads:
            seen = [stays if name == gone else name for name in before[uuid]]
            assert read(new, head) == list(dict.fromkeys(seen))
        tree = new
    if not writers:
        contents = {head for _, head in tree.heads}
        assert all(base in contents or len(tree.children(base)) > 1 for base in tree.backing)
