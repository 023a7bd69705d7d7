"""A draft's form as a browser would post it."""

from __future__ import annotations

from typing import Any

from django.test import Client

from alerts.desk.forms import DraftForm
from alerts.models import Draft


def posted(client: Client, draft: Draft) -> dict[str, Any]:
    """What the page's form would send if nothing on it was changed."""
    form: DraftForm = client.get(f"/desk/drafts/{draft.pk}/").context["form"]
    data: dict[str, Any] = {}
    for field in form:
        value = field.value()
        if value is None:
            continue
        shown = field.field.widget.format_value(value)  # what stands in the page
        data[field.html_name] = value if isinstance(value, list) else shown[0] if isinstance(shown, list) else shown
    return {name: value for name, value in data.items() if value is not None}
