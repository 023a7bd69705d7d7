"""What residents left behind and nobody needs any more goes by itself."""

from __future__ import annotations

import datetime as dt

from django.db.models.functions import Now

from ..models import SignUp

UNCONFIRMED = dt.timedelta(days=1)


def forget_unconfirmed() -> int:
    """Delete sign-ups that nobody confirmed within a day; returns how many."""
    return SignUp.objects.filter(created_at__lte=Now() - UNCONFIRMED).delete()[0]
