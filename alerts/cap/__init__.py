"""CAP 1.2: values, written to XML and read back, composed from a message's notices; values in, values out."""

from .document import cap_time, read, write
from .message import compose, references, regional_key
from .schema import Fault, NotCap
from .values import CapAlert, CapArea, CapInfo, CapResource, Named, Reference

__all__ = [
    "CapAlert",
    "CapArea",
    "CapInfo",
    "CapResource",
    "Fault",
    "Named",
    "NotCap",
    "Reference",
    "cap_time",
    "compose",
    "read",
    "references",
    "regional_key",
    "write",
]
