"""The volume group on a LUN: LVM's own format, changed by LVM's own tools. See docs/design/lun-format.md."""
