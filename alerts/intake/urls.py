"""The addresses of the ways in over HTTP."""

from django.urls import path

from . import door

urlpatterns = [
    path("cap", door.take, name="intake-cap"),
    path("openapi.json", door.description, name="intake-openapi"),
]
