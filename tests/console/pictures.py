"""`python -m tests.console.pictures FOLDER`: of the pictures that the browser tests took, those that pages show.

A page that wants another one names it, and `make screenshots` brings it: nothing is drawn or cut by hand.
"""

import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURES = DOCS / "pictures"
_SHOWN = re.compile(r"pictures/([a-z0-9-]+\.png)\)")


def shown() -> set[str]:
    """The names of the pictures that pages show."""
    pages = [*DOCS.glob("**/*.md"), DOCS.parent / "README.md"]
    return {name for page in pages for name in _SHOWN.findall(page.read_text())}


def main(taken: Path) -> None:
    """Put the pictures where pages look for them, and remove those that no page shows any more."""
    missing = sorted(name for name in shown() if not (taken / name).is_file())
    if missing:
        sys.exit(f"no test takes these pictures: {', '.join(missing)}")
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    for name in sorted(shown()):
        shutil.copy(taken / name, PICTURES / name)
    print(f"{len(shown())} pictures are in {PICTURES}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
