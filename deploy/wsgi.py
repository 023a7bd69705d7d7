"""The WSGI application: public pages out of their folder, the rest by Django; refuses to start on a wrong setting."""

import logging
import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402 (settings can be read once Django is set up)
from django.core import checks  # noqa: E402
from django.core.checks.registry import registry  # noqa: E402
from django.db import Error as DatabaseError  # noqa: E402
from django.db import connections  # noqa: E402
from django.urls import get_resolver  # noqa: E402

from channels.serving import Serve  # noqa: E402


def refuse_mistakes() -> None:
    """End the process with every error that Django's system checks find.

    A check that needs the database is left out while that is down: the pages must be served then too.
    """
    found: list[checks.CheckMessage] = []
    for check in registry.get_checks():
        try:
            found += check(app_configs=None, databases=None)
        except DatabaseError as error:
            logging.getLogger(__name__).warning("a system check left out, no database: %s", type(error).__name__)
    wrong = [message for message in found if message.level >= checks.ERROR and not message.is_silenced()]
    # gunicorn forks after this: no worker may inherit a connection
    connections.close_all()
    if wrong:
        sys.exit("Belfry does not start:\n" + "\n".join(str(message) for message in wrong))


refuse_mistakes()
application = Serve(
    django_application,
    public=settings.PUBLIC_DIR,
    static=settings.STATIC_ROOT,
    static_prefix=settings.STATIC_URL,
    application_prefixes=["/" + str(pattern.pattern) for pattern in get_resolver().url_patterns],
    hsts_seconds=settings.SECURE_HSTS_SECONDS,
    address=settings.ADDRESS,
    hub=settings.WEBSUB_HUB,
)
