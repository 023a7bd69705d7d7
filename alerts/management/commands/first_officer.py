"""``manage.py first_officer``: the first administrator and the second one, with password and second factor.

From then on roles are given at the desk, where it takes two of them.
"""

from __future__ import annotations

import getpass
import io
import secrets
import sys
from argparse import ArgumentParser
from typing import Any

import segno
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from alerts import audit, roles
from alerts.desk.factors.codes import make_backup
from alerts.desk.people import is_demo

ENOUGH = 2
"""Administrators that it takes to give a role at the desk."""


class Command(BaseCommand):
    help = "Make the first or second administrator, with password, authenticator and backup codes, shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The name to log in with.")
        parser.add_argument("--email", required=True, help="Where alarms are mailed to.")
        parser.add_argument(
            "--role",
            action="append",
            choices=[name for name in roles.NAMES if name != roles.ADMINISTRATOR],
            help="Another role besides administrator; may be given twice. Two officers are needed for an alert.",
        )
        parser.add_argument("--generate", action="store_true", help="Make up a password instead of asking for one.")

    def handle(self, *, name: str, email: str, role: list[str] | None, generate: bool, **_options: Any) -> None:
        officer = User(username=name, email=email, is_staff=True)
        self._check(officer)
        password = self._password(officer, generate=generate or not sys.stdin.isatty())
        officer.set_password(password)
        given = [roles.ADMINISTRATOR, *(role or [])]
        with transaction.atomic():
            officer.save()
            officer.groups.set(Group.objects.filter(name__in=given))
            totp = TOTPDevice.objects.create(user=officer, name="authenticator")
            codes = make_backup(officer)
            audit.record(None, "first-officer", f"officer {name}", roles=given)
        self._show(officer, totp.config_url, codes, password if generate or not sys.stdin.isatty() else "")

    def _check(self, officer: User) -> None:
        administrators = User.objects.filter(groups__name=roles.ADMINISTRATOR, is_active=True)
        if sum(not is_demo(user) for user in administrators) >= ENOUGH:
            raise CommandError(
                _("There are two administrators already: new officers are made at the desk, under Office.")
            )
        try:
            User._meta.get_field("username").clean(officer.username, officer)
            validate_email(officer.email)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if User.objects.filter(username=officer.username).exists():
            raise CommandError(_("{name} is there already. Choose another name.").format(name=officer.username))
        if User.objects.filter(is_active=True, email__iexact=officer.email).exists():
            raise CommandError(_("Another officer has this mail address. Each needs one of his own."))
        if is_demo(officer):
            raise CommandError(_("That address belongs to the demo's officers. Give the officer's own."))

    def _password(self, officer: User, *, generate: bool) -> str:
        if generate:
            return secrets.token_urlsafe(15)
        while True:
            password = getpass.getpass(_("Password (12 characters at least): "))
            try:
                validate_password(password, officer)
            except ValidationError as error:
                self.stderr.write(" ".join(error.messages))
                continue
            if getpass.getpass(_("Once more: ")) == password:
                return password
            self.stderr.write(_("The two are not the same."))

    def _show(self, officer: User, url: str, codes: list[str], password: str) -> None:
        picture = io.StringIO()
        segno.make(url).terminal(picture, compact=True)
        self.stdout.write(
            "\n" + _("{name} is made. What follows is shown this once.").format(name=officer.username) + "\n"
        )
        if password:
            self.stdout.write(_("Password: {password}").format(password=password) + "\n")
        self.stdout.write(_("Scan this with an authenticator app, or type the address into it:") + "\n")
        self.stdout.write(picture.getvalue())
        self.stdout.write(f"{url}\n")
        self.stdout.write(_("Backup codes, each good for one log-in. Print them and lock them away:") + "\n")
        self.stdout.write("  ".join(codes) + "\n")
