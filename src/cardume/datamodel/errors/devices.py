"""Errors about devices of VMs."""

from cardume.datamodel.errors.declared import code

# Devices of VMs

DEVICE_ALREADY_EXISTS = code(
    "DEVICE_ALREADY_EXISTS", ("device",), "The VM has a device with this number already; choose another."
)
DEVICE_ALREADY_ATTACHED = code("DEVICE_ALREADY_ATTACHED", ("device",), "The device is plugged already.")
DEVICE_ALREADY_DETACHED = code("DEVICE_ALREADY_DETACHED", ("device",), "The device is not plugged.")
DEVICE_NOT_ATTACHED = code("DEVICE_NOT_ATTACHED", ("VBD",), "The device is not plugged.")
DEVICE_ATTACH_TIMEOUT = code("DEVICE_ATTACH_TIMEOUT", ("type", "ref"), "The guest did not take the device in time.")
DEVICE_DETACH_TIMEOUT = code(
    "DEVICE_DETACH_TIMEOUT",
    ("type", "ref"),
    "The guest did not release the device in time; unmount it in the guest, then try again.",
)
DEVICE_DETACH_REJECTED = code(
    "DEVICE_DETACH_REJECTED",
    ("type", "ref", "msg"),
    "The guest refuses to release the device; unmount it in the guest first.",
)
INVALID_DEVICE = code(
    "INVALID_DEVICE", ("device",), "This is no valid device name; use a number such as 0, or autodetect."
)
ILLEGAL_VBD_DEVICE = code("ILLEGAL_VBD_DEVICE", ("vbd", "device"), "A disk cannot have this device name.")
VM_DUPLICATE_VBD_DEVICE = code(
    "VM_DUPLICATE_VBD_DEVICE", ("vm", "vbd", "device"), "Two of the VM's disks have the same device name."
)
DISK_VBD_MUST_BE_READWRITE_FOR_HVM = code(
    "DISK_VBD_MUST_BE_READWRITE_FOR_HVM",
    ("vbd",),
    "This VM can write to all its disks; a disk cannot be attached read-only.",
)
VBD_CDS_MUST_BE_READONLY = code("VBD_CDS_MUST_BE_READONLY", (), "A CD drive is read-only; set the mode to RO.")
VBD_IS_EMPTY = code("VBD_IS_EMPTY", ("vbd",), "The drive is empty; insert a disc, or remove it if its disk is gone.")
VBD_NOT_EMPTY = code("VBD_NOT_EMPTY", ("vbd",), "The drive holds a disc; eject it first.")
VBD_NOT_REMOVABLE_MEDIA = code("VBD_NOT_REMOVABLE_MEDIA", ("vbd",), "Only a drive with removable discs can do this.")
VBD_NOT_UNPLUGGABLE = code("VBD_NOT_UNPLUGGABLE", ("vbd",), "This disk cannot be unplugged while the VM runs.")
VBD_TRAY_LOCKED = code("VBD_TRAY_LOCKED", ("vbd",), "The guest has locked the drive; eject the disc in the guest.")
VBD_MISSING = code("VBD_MISSING", ("vm", "device"), "The VM has no disk under this device name.")
VM_NO_EMPTY_CD_VBD = code("VM_NO_EMPTY_CD_VBD", ("vm",), "The VM has no empty CD drive.")
CANNOT_PLUG_VIF = code("CANNOT_PLUG_VIF", ("VIF",), "The interface cannot be plugged while the VM runs.")
VIF_IN_USE = code("VIF_IN_USE", ("network", "VIF"), "A VM's interface uses this network.")
MAC_INVALID = code("MAC_INVALID", ("MAC",), "This is no valid hardware address of a single interface.")
MAC_DOES_NOT_EXIST = code("MAC_DOES_NOT_EXIST", ("MAC",), "The host has no interface with this hardware address.")
MAC_STILL_EXISTS = code("MAC_STILL_EXISTS", ("MAC",), "The interface is still in the host.")
DUPLICATE_MAC_SEED = code("DUPLICATE_MAC_SEED", ("seed",), "Another VM has the same seed for its hardware addresses.")
ADDRESS_VIOLATES_LOCKING_CONSTRAINT = code(
    "ADDRESS_VIOLATES_LOCKING_CONSTRAINT", ("address",), "The interface is locked to other addresses."
)

# USB devices, PCI devices and security chips

PUSB_VDI_CONFLICT = code("PUSB_VDI_CONFLICT", ("PUSB", "VDI"), "This USB device is used as a disk already.")
TOO_MANY_VUSBS = code("TOO_MANY_VUSBS", ("number",), "The VM can have no more USB devices than this.")
USB_ALREADY_ATTACHED = code("USB_ALREADY_ATTACHED", ("PUSB", "VM"), "The USB device belongs to this VM already.")
USB_GROUP_CONFLICT = code("USB_GROUP_CONFLICT", ("USB_group",), "The VM has a device of this group already.")
USB_GROUP_CONTAINS_NO_PUSBS = code("USB_GROUP_CONTAINS_NO_PUSBS", ("usb_group",), "The group has no USB device.")
USB_GROUP_CONTAINS_PUSB = code(
    "USB_GROUP_CONTAINS_PUSB", ("pusbs",), "The group still has USB devices; move them first."
)
USB_GROUP_CONTAINS_VUSB = code(
    "USB_GROUP_CONTAINS_VUSB", ("vusbs",), "VMs still want devices of this group; remove their ports first."
)
VM_PCI_BUS_FULL = code("VM_PCI_BUS_FULL", ("VM",), "The VM has no slot left for another PCI device.")
VTPM_MAX_AMOUNT_REACHED = code("VTPM_MAX_AMOUNT_REACHED", ("amount",), "The VM can have no more TPMs than this.")
