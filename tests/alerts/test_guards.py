"""The database itself refuses to change or delete what was said, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.db.models import Model

from alerts import audit, guards
from alerts.models import AuditEntry, Message, MessageArea, Rendering, TemplateVersion
from channels.models import Attempt
from tests import city
from tests.deploy.processes import python

GUARDED = [Message, Rendering, AuditEntry, MessageArea, Attempt, TemplateVersion]


@pytest.mark.django_db
def test_every_guarded_table_has_its_triggers() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
        names = {name for (name,) in cursor.fetchall()}
    # against deleting: conftest drops those on SQLite, so there the next test looks
    kinds = ("frozen",) if connection.vendor == "sqlite" else ("frozen", "kept")
    wanted = {f"{model._meta.db_table}_{kind}" for model in GUARDED for kind in kinds}
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


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The triggers of a database just after all migrations, name → SQL; SQLite loses them when a table is made anew."""
    data: Path = tmp_path_factory.mktemp("fresh")
    environment = {"BELFRY_DATA": str(data), "DATABASE_URL": f"sqlite:///{data / 'fresh.sqlite3'}"}
    done = python("manage.py", "migrate", "--verbosity", "0", env=environment)
    assert done.returncode == 0, done.stdout
    with closing(sqlite3.connect(data / "fresh.sqlite3")) as database:
        return dict(database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))


@pytest.mark.parametrize("model", GUARDED)
def test_after_all_migrations_no_row_is_changed_or_deleted(fresh: dict[str, str], model: type[Model]) -> None:
    table = model._meta.db_table
    assert f"{table}_kept" in fresh
    once = guards.SET_ONCE.get(table, ())
    columns = [field.column for field in model._meta.local_concrete_fields]
    guards_of = {name: f"{table}_{name}_once" if name in once else f"{table}_frozen" for name in columns}
    assert [name for name in columns if f'"{name}"' not in fresh.get(guards_of[name], "")] == []
