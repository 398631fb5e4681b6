"""Whether a file can be read and written around the page cache."""

import os


def has_o_direct(path: str) -> bool:
    """False on file systems that know only the page cache. FileNotFoundError when there is no such file. Blocking."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC))
    except FileNotFoundError:
        raise
    except OSError:
        return False  # tmpfs and some FUSE file systems say EINVAL
    return True
