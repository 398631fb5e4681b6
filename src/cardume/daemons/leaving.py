"""A member becomes a pool of its own again: its next start begins with an empty database and an authority of its own.

The files of its local repositories stay on its disks, out of the pool's sight; `SR.introduce` finds them again.
"""

import shutil

from cardume.daemons.config import Config
from cardume.daemons.role import HostRole, write_role


def leave_pool(config: Config) -> None:
    """Forget the pool; the role goes last, so that a crash before leaves a member that can be told again."""
    former = config.pool_files.folder.with_name("pool.former")
    shutil.rmtree(former, ignore_errors=True)
    for suffix in ("", "-wal", "-shm"):  # what the host had before it joined: the pool's since then
        path = config.database.with_name(config.database.name + suffix)
        path.unlink(missing_ok=True)
    write_role(config.role, HostRole())
    shutil.rmtree(config.pool_files.folder, ignore_errors=True)
