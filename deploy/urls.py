"""The application's addresses. The public pages are files, served before Django is asked (``deploy.wsgi``)."""

from django.contrib import admin
from django.urls import include, path

from channels import health
from channels.reach import views as reach

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("s/reached/", include([path("<slug:slug>/", reach.reached, name="reached")])),
    path("s/", include("channels.subscriptions.urls")),
    path("intake/", include("alerts.intake.urls")),
    path("desk/", admin.site.urls),
]
