"""Found by Django's admin: what the domain shows at the desk."""

from alerts.desk import admins

admins.join()
