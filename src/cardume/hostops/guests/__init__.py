"""Guests on this host: what a guest is (`guest.py`), what can be done with it (`interface.py`), libvirt doing it."""
