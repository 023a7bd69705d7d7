"""What residents reach below /s/."""

from django.urls import path

from . import browsers, hooks, own, views

urlpatterns = [
    path("start/", views.start),
    path("confirm/<str:word>/", views.confirm),
    path("yes/<str:word>/", views.yes),
    path("link/", own.link),
    path("leave/", own.link),
    path("leave/<str:word>/", own.leave),
    path("manage/<str:word>/", own.manage),
    path("test/<str:word>/", own.test),
    path("push/", browsers.subscribe),
    path("push/changed/", browsers.changed),
    path("hooks/<str:channel>/", hooks.hook),
    path("<path:rest>", own.elsewhere),
]
