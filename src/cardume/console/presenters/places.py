"""Addresses of screens: every object and every tab has one, which people may keep and send."""

from dataclasses import dataclass, replace

TABS = {
    "root": ("overview",),
    "pool": ("overview", "general", "storage", "networking", "ha", "users"),
    "host": (
        "overview",
        "general",
        "storage",
        "networking",
        "nics",
        "performance",
        "users",
    ),  # users: of one without a pool
    "vm": ("general", "console", "performance", "storage", "networking", "snapshots"),
    "sr": ("general", "disks"),
}
PAGES = ("alerts",)


@dataclass(frozen=True, slots=True)
class Place:
    """What a screen shows: a kind of thing, which pool it is of, which one it is, and the tab."""

    kind: str  # a key of TABS, a page, or `nowhere`
    pool: str = ""
    uuid: str = ""
    tab: str = ""

    @property
    def path(self) -> str:
        """The place as an address without a server."""
        if self.kind == "root":
            return "/"
        if self.kind in PAGES:
            return f"/{self.kind}"
        thing = f"/pool/{self.pool}" + ("" if self.kind == "pool" else f"/{self.kind}/{self.uuid}")
        return f"{thing}/{self.tab}" if self.tab else thing

    def at(self, tab: str) -> "Place":
        """Another tab of the same object."""
        return replace(self, tab=tab)

    @property
    def thing(self) -> "Place":
        """The object, whatever the tab."""
        return replace(self, tab="")


ROOT = Place("root")


def read_place(path: str) -> Place:
    """The place that an address means; of kind `nowhere` when it means none."""
    match [part for part in path.split("?")[0].split("/") if part]:
        case []:
            return ROOT
        case [page] if page in PAGES:
            return Place(page)
        case ["pool", pool]:
            return Place("pool", pool, pool)
        case ["pool", pool, tab] if tab in TABS["pool"]:
            return Place("pool", pool, pool, tab)
        case ["pool", pool, kind, uuid] if kind in TABS and kind not in ("root", "pool"):
            return Place(kind, pool, uuid)
        case ["pool", pool, kind, uuid, tab] if tab in TABS.get(kind, ()) and kind not in ("root", "pool"):
            return Place(kind, pool, uuid, tab)
    return Place("nowhere")
