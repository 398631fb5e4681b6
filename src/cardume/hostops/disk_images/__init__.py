"""Disks as image files: the formats raw, VHD and qcow2, written and read as streams, with bounded memory."""
