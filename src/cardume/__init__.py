"""Cardume: a pool of ordinary Linux hosts that works as a XenServer pool does."""

__version__ = "0.1.0"
