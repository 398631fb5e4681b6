"""The HA daemon's shells: what acts on the watchdog, the statefile, the networks and the host for the core in `ha`.

Python's standard library only, and its own processes: nothing of cardumed, libvirtd or etcd has a part in it.
See docs/design/had.md. This module imports nothing: the feeder starts with as little as can be.
"""
