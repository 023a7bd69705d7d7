"""The tables of the domain."""

from .alerts import (
    EDITABLE,
    MOVES,
    OPEN,
    SLUG_LETTERS,
    Alert,
    Card,
    Draft,
    DraftState,
    Message,
    MessageArea,
    Part,
    PartKind,
    ReleasePlan,
    Rendering,
    new_slug,
)
from .areas import Area
from .officers import Call, CallKind, Decision, Profile, Reader, RoleRequest, Sitting
from .records import Alarm, AuditEntry, AuditHead, Template, TemplateVersion

__all__ = [
    "EDITABLE",
    "MOVES",
    "OPEN",
    "SLUG_LETTERS",
    "Alarm",
    "Alert",
    "Area",
    "AuditEntry",
    "AuditHead",
    "Call",
    "CallKind",
    "Card",
    "Decision",
    "Draft",
    "DraftState",
    "Message",
    "MessageArea",
    "Part",
    "PartKind",
    "Profile",
    "Reader",
    "ReleasePlan",
    "Rendering",
    "RoleRequest",
    "Sitting",
    "Template",
    "TemplateVersion",
    "new_slug",
]
