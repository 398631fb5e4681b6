"""The lab's own guest: a small Linux that shows from outside whether it, its disk and its network live."""

from cardume.lab.guest.image import GuestImage, guest_image

__all__ = ["GuestImage", "guest_image"]
