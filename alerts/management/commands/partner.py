"""``manage.py partner``: partners that hand in CAP documents, and their tokens, from the command line."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from alerts.intake import partners
from alerts.models import Partner, PartnerToken
from alerts.people import Refused
from alerts.terms import Category, Status


class Command(BaseCommand):
    help = "Enter a partner, give him a token (shown once), end a token, list them all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        add = acts.add_parser("add", help="enter a partner and give him a token")
        add.add_argument("name")
        add.add_argument("--status", action="append", choices=Status.values, help="what is taken; Actual unless told")
        add.add_argument("--area", action="append", default=[], help="key of a district; the whole city unless told")
        add.add_argument("--category", action="append", default=[], choices=Category.values, help="all unless told")
        token = acts.add_parser("token", help="give a partner a new token; the old one holds until it is ended")
        token.add_argument("name")
        end = acts.add_parser("end", help="end a token by its first letters, as the list shows them")
        end.add_argument("head")
        acts.add_parser("list", help="all partners and their tokens")

    def handle(self, *, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(**options)
        except Refused as error:
            raise CommandError(str(error)) from error

    def _add(self, *, name: str, status: list[str] | None, area: list[str], category: list[str], **_rest: Any) -> None:
        scope = partners.Scope(status or [Status.ACTUAL], area, category)
        self._show(partners.give_token(partners.enter(name, scope, None), None))

    def _token(self, *, name: str, **_rest: Any) -> None:
        partner = Partner.objects.filter(name=name).first()
        if partner is None:
            raise CommandError(_("There is no partner of this name."))
        self._show(partners.give_token(partner, None))

    def _end(self, *, head: str, **_rest: Any) -> None:
        tokens = list(PartnerToken.objects.filter(head=head.removeprefix(partners.PREFIX), ended_at__isnull=True))
        if len(tokens) != 1:
            raise CommandError(_("No one token that holds begins like this. Look at the list."))
        partners.end_token(tokens[0], None)
        self.stdout.write(_("The token has ended."))

    def _list(self, **_rest: Any) -> None:
        for partner in Partner.objects.prefetch_related("tokens"):
            self.stdout.write(partner.name if partner.active else f"{partner.name} ({_('out of use')})")
            for token in partner.tokens.all():
                used = f"{token.used_at:%Y-%m-%d %H:%M} UTC" if token.used_at else "-"
                state = _("ended") if token.ended_at else _("in force")
                self.stdout.write(f"  {partners.PREFIX}{token.head}…  {state}  {_('last used')}: {used}")

    def _show(self, token: str) -> None:
        self.stdout.write(_("The token, shown this once:") + f"\n{token}")
