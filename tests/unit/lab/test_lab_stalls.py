"""Which processes a stall means."""

import os
import subprocess
import sys
from pathlib import Path

from cardume.lab.stalls import find_processes


def test_a_program_is_found_by_its_name_and_by_its_file(tmp_path: Path) -> None:
    script = tmp_path / "stalled-script"
    script.write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            assert find_processes(os.getpid(), "stalled-script") == [child.pid]
            assert find_processes(os.getpid(), "no-such-program") == []
        finally:
            child.kill()
