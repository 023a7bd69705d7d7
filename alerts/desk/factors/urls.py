"""The addresses of this package."""

from __future__ import annotations

from ..site import Page
from . import asking, pages, reset_pages

PAGES = [
    Page("login/passkey/", asking.log_in, "log-in-passkey", public=True),
    Page("enrol/", pages.enrol, "enrol", public=True),
    Page("enrol/passkey/", asking.enrol, "enrol-passkey", public=True),
    Page("session/", pages.session, "session"),
    Page("step-up/", pages.step_up, "step-up"),
    Page("access/", pages.access, "access"),
    Page("access/authenticator/", pages.authenticator, "authenticator"),
    Page("access/passkey/", pages.add_passkey, "add-passkey"),
    Page("access/passkey/<slug:purpose>/", asking.at_desk, "passkey-options"),
    Page("access/remove/", pages.remove_factor, "remove-factor"),
    Page("access/codes/", pages.backup_codes, "backup-codes"),
    Page("access/end/", pages.end_own, "end-own"),
    Page("officers/<int:officer_id>/end-sittings/", pages.end_sittings, "end-sittings"),
    Page("officers/<int:officer_id>/reset-factors/", reset_pages.reset_factors, "reset-factors"),
    Page("factors-reset/<int:number>/", reset_pages.confirm_reset, "confirm-reset"),
]
