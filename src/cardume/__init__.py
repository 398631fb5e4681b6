"""Cardume: a pool of ordinary Linux hosts that works as a XenServer pool does."""

__version__ = "0.1.0"
__date__ = "2026-11-22"  # of this version; changed together with it
