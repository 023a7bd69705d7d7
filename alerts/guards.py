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


APPROVED = {
    "sqlite": [
        "DROP TRIGGER IF EXISTS alerts_message_approved",
        (
            "CREATE TRIGGER alerts_message_approved BEFORE INSERT ON alerts_message WHEN NEW.approval_id IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM alerts_part WHERE id = NEW.approval_id AND draft_id = NEW.draft_id "
            "AND part = 'approved') BEGIN SELECT RAISE(ABORT, 'alerts_message: not an approval of its draft'); END"
        ),
        "DROP TRIGGER IF EXISTS alerts_part_approves_once",
        (
            "CREATE TRIGGER alerts_part_approves_once BEFORE UPDATE ON alerts_part "
            "WHEN (NEW.part = 'approved') <> (OLD.part = 'approved') "
            "BEGIN SELECT RAISE(ABORT, 'alerts_part: an approval is a row of its own'); END"
        ),
    ],
    "postgresql": [
        (
            "CREATE OR REPLACE FUNCTION belfry_approved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.approval_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM alerts_part WHERE id = NEW.approval_id "
            "AND draft_id = NEW.draft_id AND part = 'approved') THEN RAISE EXCEPTION "
            "'alerts_message: not an approval of its draft' USING ERRCODE = 'integrity_constraint_violation'; "
            "END IF; RETURN NEW; END $$"
        ),
        (
            "CREATE OR REPLACE TRIGGER alerts_message_approved BEFORE INSERT ON alerts_message "
            "FOR EACH ROW EXECUTE FUNCTION belfry_approved()"
        ),
        (
            "CREATE OR REPLACE FUNCTION belfry_own_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'alerts_part: an approval is a row of its own' "
            "USING ERRCODE = 'integrity_constraint_violation'; END $$"
        ),
        (
            "CREATE OR REPLACE TRIGGER alerts_part_approves_once BEFORE UPDATE ON alerts_part FOR EACH ROW "
            "WHEN ((NEW.part = 'approved') <> (OLD.part = 'approved')) EXECUTE FUNCTION belfry_own_row()"
        ),
    ],
}
"""A message's approval is an approving part of its own draft, and no other part turns into one."""


def install_approved(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for statement in APPROVED[connection.vendor]:
            cursor.execute(statement)
