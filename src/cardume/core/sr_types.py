"""What sets the types of SR apart, beyond what their drivers can do: asked by type, wherever an SR is treated by it."""

MASTER_CHANGES = frozenset({"lvmoiscsi"})
"""Types whose volumes only the master makes, grows and removes; every host opens them."""

OVER_THE_NETWORK = frozenset({"lvmoiscsi", "nfs", "iso"})
"""Types whose storage may go away while the host runs on."""

WITHOUT_FILES = frozenset({"lvmoiscsi", "nfs"})
"""Types whose disks are no files of a host: libvirt cannot save a guest's memory there."""

FOR_STATEFILES = frozenset({"lvmoiscsi"})
"""Types whose disks are plain places that no cache hides from other hosts."""
