"""Found by Django's admin: what the channels add to the desk."""

from channels.desk import admins, pages

pages.join()
admins.join()
