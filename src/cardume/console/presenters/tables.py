"""What tabs are made of: tables and lists of facts, as plain values."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RowAct:
    """A button in a row: what it does, with which object, and why it cannot be pressed (empty when it can)."""

    key: str
    label: str
    ref: str
    why_not: str = ""
    is_danger: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, where it leads, a second line, how full its bar is, what can be done there."""

    text: str
    href: str = ""
    note: str = ""
    tone: str = ""
    fill: float | None = None
    icon: str = ""
    indent: int = 0
    acts: tuple[RowAct, ...] = ()
    pick: str = ""  # what the row is ticked by, where rows can be


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its columns' headings. `empty` is said in the place of no rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str
    title: str = ""
    note: str = ""  # below the rows
    numbers: frozenset[int] = frozenset()  # columns that align to the right


@dataclass(frozen=True, slots=True)
class Facts:
    """A heading, and what there is to know under it."""

    title: str
    lines: tuple[tuple[str, str], ...] = field(default=())


Block = Table | Facts
