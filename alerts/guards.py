"""Triggers that refuse to change what must never change, alike on SQLite and PostgreSQL.

A later migration that makes one of these tables anew (SQLite does so for most changes) calls
``install`` again; ``tests/alerts/test_guards.py`` notices a missing one.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

SET_ONCE = {"alerts_message": ("live_at", "gate_reason")}


def install(connection: BaseDatabaseWrapper, models: Iterable[type[Model]]) -> None:
    """Guard the tables of ``models``: no row changes, none is deleted; ``SET_ONCE`` columns are set once."""
    for model in models:
        table = model._meta.db_table
        once = SET_ONCE.get(table, ())
        frozen = [str(field.column) for field in model._meta.local_concrete_fields if field.column not in once]
        for statement in statements(connection.vendor, table, frozen, once):
            with connection.cursor() as cursor:
                cursor.execute(statement)


def statements(vendor: str, table: str, frozen: Iterable[str], once: Iterable[str]) -> list[str]:
    """The twin SQL of both databases."""
    columns = ", ".join(f'"{column}"' for column in frozen)
    if vendor == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: rows never change'); END"
        made = [
            f"DROP TRIGGER IF EXISTS {table}_frozen",
            f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OF {columns} ON {table} {refuse}",
            f"DROP TRIGGER IF EXISTS {table}_kept",
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {refuse}",
        ]
        for column in once:
            made += [
                f"DROP TRIGGER IF EXISTS {table}_{column}_once",
                (
                    f'CREATE TRIGGER {table}_{column}_once BEFORE UPDATE OF "{column}" ON {table} '
                    f'WHEN OLD."{column}" IS NOT NULL AND OLD."{column}" <> \'\' {refuse}'
                ),
            ]
        return made
    made = [
        (
            "CREATE OR REPLACE FUNCTION belfry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION '%: rows never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; "
            "END $$"
        ),
        (
            f"CREATE OR REPLACE TRIGGER {table}_frozen BEFORE UPDATE OF {columns} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION belfry_refuse()"
        ),
        (
            f"CREATE OR REPLACE TRIGGER {table}_kept BEFORE DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION belfry_refuse()"
        ),
    ]
    for column in once:
        made.append(
            f'CREATE OR REPLACE TRIGGER {table}_{column}_once BEFORE UPDATE OF "{column}" ON {table} FOR EACH ROW '
            f"WHEN (OLD.\"{column}\"::text <> '') EXECUTE FUNCTION belfry_refuse()"
        )
    return made
