"""Which features of processors this host's libvirt has a word for: it refuses a guest whose declaration has another."""

import re
from functools import cache
from pathlib import Path

CPU_MAP = Path("/usr/share/libvirt/cpu_map/x86_features.xml")


@cache
def known_features(path: Path = CPU_MAP) -> frozenset[str]:
    """Libvirt's words; none where its list is not."""
    if not path.exists():
        return frozenset()
    return frozenset(re.findall(r"<feature\s+name=['\"]([^'\"]+)['\"]", path.read_text()))
