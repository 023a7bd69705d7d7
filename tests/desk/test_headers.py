"""What the desk's answers forbid the browser: cookies that leak, frames around them, scripts in the page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as ours
from django.contrib.auth.models import User
from django.test import Client

from tests import city
from tests.desk.conftest import PASSWORD

BASE = Path(__file__).resolve().parents[2]
ASK = """
import json
from django.conf import settings
names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "BEHIND_PROXY")
print(json.dumps({name: getattr(settings, name) for name in names}))
"""


def settings_with(tmp_path: Path, **variables: str) -> Any:
    """What a process of its own reads from this environment."""
    environment = {**os.environ, "BELFRY_DATA": str(tmp_path), **variables}
    said = subprocess.run(
        [sys.executable, "-c", ASK], cwd=BASE, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout)


def logged_in(client: Client) -> Any:
    client.get("/desk/login/")
    return client.post("/desk/login/", {"username": "anna", "password": PASSWORD, "next": "/desk/"})


@pytest.mark.django_db
def test_the_session_is_kept_from_scripts_and_other_sites_and_ends(client: Client, anna: User, settings: Any) -> None:
    assert logged_in(client).status_code == 302
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["max-age"], "it goes with the browser window"
    assert 0 < client.session.get_expiry_age() <= 2 * 3600
    assert client.cookies["csrftoken"]["samesite"] == "Strict"


@pytest.mark.django_db
def test_over_https_both_cookies_travel_only_there(client: Client, anna: User, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    logged_in(client)
    assert client.cookies["sessionid"]["secure"]
    assert client.cookies["csrftoken"]["secure"]


def test_an_https_address_makes_the_cookies_secure(tmp_path: Path) -> None:
    there = settings_with(tmp_path, BELFRY_ADDRESS="https://warnung.example.org", BELFRY_BEHIND_PROXY="1")
    assert there["SESSION_COOKIE_SECURE"]
    assert there["CSRF_COOKIE_SECURE"]
    assert there["SECURE_HSTS_SECONDS"] == 31_536_000
    assert there["BEHIND_PROXY"]


def test_a_session_lasts_two_hours_unless_set_otherwise() -> None:
    assert ours.SESSION_COOKIE_AGE == 2 * 3600
    assert ours.SESSION_EXPIRE_AT_BROWSER_CLOSE


@pytest.mark.django_db
def test_no_page_of_the_desk_stands_in_a_frame_or_runs_script_of_the_page(
    anna: User, bert: User, carla: User, page_of: Callable[[User], Client], client: Client
) -> None:
    draft = city.submitted(anna)
    pages = [
        (client, "/desk/login/"),
        (page_of(anna), "/desk/"),
        (page_of(bert), f"/desk/drafts/{draft.pk}/approve/"),
        (page_of(carla), "/desk/auth/user/"),
        (page_of(carla), f"/desk/auth/user/{bert.pk}/password/"),
        (page_of(anna), "/desk/nothing-here/"),
    ]
    for browser, address in pages:
        answer = browser.get(address, follow=True)
        policy = dict(part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";"))
        assert policy["frame-ancestors"] == "'none'", address
        assert policy["default-src"] == policy["base-uri"] == "'none'", address
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'", address
        assert "unsafe" not in answer["Content-Security-Policy"], address
        assert answer["X-Frame-Options"] == "DENY", address
        assert answer["X-Content-Type-Options"] == "nosniff", address
        assert answer["Referrer-Policy"] == "same-origin", address
        assert "no-store" in answer["Cache-Control"], address
