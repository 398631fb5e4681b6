"""Diagnostics: what the makers of XenServer measure."""

from __future__ import annotations

from cardume.datamodel.declare import xenclass


@xenclass(events=False, stored=False)
class Diagnostics:
    """A class without objects: XenServer keeps internal measurements of its own daemon here."""
