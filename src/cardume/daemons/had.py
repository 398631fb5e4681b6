"""The HA daemon's entry point. It imports no more than its first process needs: see cardume.had.guardian."""

from cardume.had.guardian import main

__all__ = ["main"]
