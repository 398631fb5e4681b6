"""High availability in virtual machine rooms: the shipped core, its disk, networks, watchdogs and guests, by one seed.

Nothing here waits: a schedule of a minute takes milliseconds, and the same seed gives the same schedule.
"""
