"""Access to a LUN: one interface over iSCSI in user space, over a block device, and over memory.

Blocking code with bounded waits that needs nothing but Python's standard library and, for iSCSI, the library libiscsi:
the HA daemon uses it as well. See docs/design/lun-access.md.
"""
