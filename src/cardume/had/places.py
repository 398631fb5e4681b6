"""Where the daemon keeps what it keeps."""

from pathlib import Path

RUN = Path("/run/cardume/had")
"""What holds for this boot only."""
SOCKET = Path("/run/cardume/had.sock")
CONFIG = Path("/var/lib/cardume/ha.json")
"""There while HA is enabled: the daemon starts from it at boot."""
VOID = Path("/var/lib/cardume/ha-void")
"""Names the generation that an administrator has switched off on this host alone."""
LOCAL_WORDS = Path("/var/lib/cardume/ha-last-words.json")
