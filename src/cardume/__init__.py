"""Cardume: a pool of ordinary Linux hosts that works as a XenServer pool does."""
