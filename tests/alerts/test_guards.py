"""The database itself refuses to change or delete what was said, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from alerts import audit, guards
from alerts.models import AuditEntry, Message, MessageArea, Rendering
from channels.models import Attempt
from tests import city

GUARDED = [Message, Rendering, AuditEntry, MessageArea, Attempt]


@pytest.mark.django_db
def test_every_guarded_table_has_its_triggers() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
        names = {name for (name,) in cursor.fetchall()}
    wanted = {f"{model._meta.db_table}_frozen" for model in GUARDED}
    assert wanted <= names
    assert "alerts_message_live_at_once" in names


@pytest.mark.django_db
@pytest.mark.usefixtures("districts", "quiet")
@pytest.mark.parametrize("model", [Message, Rendering, AuditEntry, MessageArea])
def test_no_row_is_deleted(author: User, approver: User, model: type[Message]) -> None:
    city.released(author, approver)
    guards.install(connection, [model])
    row = model.objects.first()
    assert row is not None
    with pytest.raises(DatabaseError, match="rows never change"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE id = %s", [row.pk])
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.django_db
def test_a_changed_line_of_the_record_is_noticed() -> None:
    for number in range(3):
        audit.record(None, "test", f"line {number}")
    assert not list(audit.faults())
    with connection.cursor() as cursor:
        where = " ON alerts_auditentry" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER alerts_auditentry_frozen{where}")
    AuditEntry.objects.filter(number=2).update(actor="somebody")
    assert list(audit.faults()) == ["Line 2 was changed after it was written."]


@pytest.mark.django_db
def test_lines_cut_off_at_the_end_are_noticed() -> None:
    for number in range(3):
        audit.record(None, "test", f"line {number}")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DROP TRIGGER alerts_auditentry_kept ON alerts_auditentry")
        cursor.execute("DELETE FROM alerts_auditentry WHERE number = 3")
    assert any("cut off" in words for words in audit.faults())


def test_the_models_that_are_guarded_are_all_there() -> None:
    assert set(GUARDED) <= set(apps.get_models())
