"""A member becomes a pool of its own again: its next start begins with an empty database and an authority of its own.

The files of its local repositories stay on its disks, out of the pool's sight; `SR.introduce` finds them again.
"""

import shutil

from cardume.daemons.config import Config
from cardume.daemons.pool_map import forget_map
from cardume.daemons.role import HostRole, write_role


def leave_pool(config: Config) -> None:
    """Forget the pool; the role goes last, so that a crash before leaves a member that can be told again."""
    former = config.pool_files.folder.with_name("pool.former")
    shutil.rmtree(former, ignore_errors=True)
    # What the host had before it joined is the pool's since then, and its copies of the pool's database are too.
    for file in (config.database, config.mirror):
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
    config.vote.unlink(missing_ok=True)
    forget_map(config.map)
    write_role(config.role, HostRole())
    shutil.rmtree(config.pool_files.folder, ignore_errors=True)
