"""What `xe` prints: records with their names right-aligned, lines, or with `--minimal` values joined by commas."""

from collections.abc import Sequence
from typing import TextIO

Row = Sequence[tuple[str, str]]  # a record: (name, value)


class Printer:
    """Prints to one stream, in either form; `close` prints the line that `--minimal` has saved up."""

    def __init__(self, out: TextIO, err: TextIO, *, minimal: bool = False) -> None:
        self.out, self.err = out, err
        self._minimal = minimal
        self._saved: list[str] = []

    def table(self, rows: Sequence[Row]) -> None:
        """Print records; in minimal form the first value of each."""
        if not self._minimal:
            for row in rows:
                self.out.write(aligned(row) + "\n\n\n")
        elif rows and all(rows):
            self._saved.insert(0, ",".join(escaped(row[0][1]) for row in rows))

    def lines(self, *lines: str) -> None:
        """Print lines; in minimal form joined by commas."""
        if self._minimal:
            self._saved.insert(0, ",".join(escaped(line) for line in lines))
        else:
            self.always(*lines)

    def remark(self, line: str) -> None:
        """Print a line that minimal form leaves out."""
        if not self._minimal:
            self.always(line)

    def always(self, *lines: str) -> None:
        """Print lines in either form."""
        self.out.write("".join(f"{line}\n" for line in lines))
        self.out.flush()

    def close(self) -> None:
        """Print what was saved. Later parts go first, as XenServer's users know it from `vm-disk-list --minimal`."""
        if self._minimal:
            self.always(",".join(self._saved))
        self.out.flush()


def aligned(row: Row) -> str:
    """A record: the first name to the left, the others to the right, four columns wider than the longest."""
    width = 4 + max((len(name) for name, _ in row), default=0)
    first, *others = row or [("", "")]
    return "\n".join([f"{first[0]:<{width}}: {first[1]}", *(f"{name:>{width}}: {value}" for name, value in others)])


def escaped(value: str) -> str:
    """A value as it stands in a comma-separated line."""
    return value.replace("\\", "\\\\").replace(",", "\\,")
