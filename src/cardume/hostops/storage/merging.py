"""Which layers of a folder may become one now: a decision from what stands on what, who uses it, and nothing else.

Two layers may be merged when the lower one, the *base*, is no disk's content by itself, and only the upper one, the
*top*, stands on it. Then what is read through the top stays the same while the top's blocks are written into the base.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cardume.hostops.storage.driver import Merge, Usage
from cardume.hostops.storage.layers import image_format


@dataclass(frozen=True, slots=True)
class Tree:
    """The images of a folder that are needed, and whose content they are."""

    backing: Mapping[str, str | None]  # image → the image under it
    heads: tuple[tuple[str, str], ...]  # (volume's uuid, the image that its content is in)
    frozen: frozenset[str] = field(default=frozenset())  # uuids of volumes that are snapshots

    def children(self, image: str) -> tuple[str, ...]:
        return tuple(sorted(name for name, under in self.backing.items() if under == image))

    def volumes_in(self, image: str) -> tuple[str, ...]:
        """The volumes whose content is in this very image."""
        return tuple(sorted(uuid for uuid, head in self.heads if head == image))

    def chain(self, image: str) -> tuple[str, ...]:
        """An image and all under it, from the top."""
        found: list[str] = []
        following: str | None = image
        while following is not None and following not in found:
            found.append(following)
            following = self.backing.get(following)
        return tuple(found)

    def volumes_on(self, image: str) -> tuple[str, ...]:
        """The volumes that need this image, the disks before the snapshots."""
        found = {uuid for uuid, head in self.heads if image in self.chain(head)}
        return tuple(sorted(found, key=lambda uuid: (uuid in self.frozen, uuid)))


def plan_merge(tree: Tree, usage: Usage, *, pinned: frozenset[str] = frozenset()) -> Merge | None:
    """The next two layers to become one, the lowest first; None when there are none for now.

    `pinned` are images that may become a snapshot's content any moment.
    """
    for base, top in _pairs(tree):
        if not pinned & {base, top} and (base, top) not in usage.avoid:
            merge = _plan(tree, usage, base, top)
            if merge is not None:
                return merge
    return None


def is_possible(tree: Tree, merge: Merge, *, pinned: frozenset[str], opened: Iterable[str]) -> bool:
    """True while a planned merge may be begun, or ended, with what is known now; `opened`: volumes' uuids."""
    is_pair = (merge.base, merge.top) in _pairs(tree) and not pinned & {merge.base, merge.top}
    users = set(tree.volumes_on(merge.base)) & set(opened)
    return is_pair and users <= ({merge.volume} if merge.is_live else set())


def _pairs(tree: Tree) -> tuple[tuple[str, str], ...]:
    """Each base that is nobody's content and has one child, with that child; what lies lowest comes first."""
    in_use = {head for _, head in tree.heads}
    found = []
    for base in tree.backing:
        children = tree.children(base)
        if base not in in_use and len(children) == 1:
            found.append((base, children[0]))
    return tuple(sorted(found, key=lambda pair: (len(tree.chain(pair[0])), pair)))


def _plan(tree: Tree, usage: Usage, base: str, top: str) -> Merge | None:
    volumes = tree.volumes_on(base)
    users = [uuid for uuid in volumes if uuid in usage.writers | usage.others]
    if not users:
        return Merge(base, top, volume=volumes[0]) if volumes else None
    if len(users) > 1 or users[0] not in usage.writers or image_format(base) == "raw":
        return None  # two programs have the base open, or one that cannot be asked to merge
    (writer,) = users
    head = next(head for uuid, head in tree.heads if uuid == writer)
    if top == head:
        # The guest writes to the top: nobody else may count on it.
        alone = not tree.children(top) and tree.volumes_in(top) == (writer,)
        return Merge(base, top, volume=writer, is_live=True) if alone else None
    above = tree.children(top)
    # QEMU tells one image that its backing file changed: the one in the guest's own chain.
    if len(above) != 1 or above[0] not in tree.chain(head):
        return None
    return Merge(base, top, volume=writer, is_live=True, above=above[0])
