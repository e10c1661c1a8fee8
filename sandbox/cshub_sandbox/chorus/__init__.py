"""A simulated Chorus, made from the vendor's published contract and field reports alone."""

from .service import ChorusService
from .switches import ChorusSwitches

__all__ = ["ChorusService", "ChorusSwitches"]
