"""Districts."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Area(models.Model):
    """A named district with its boundary, in a tree (city › Stadtbezirk › Ortsteil).

    ``boundary`` and ``outline`` are GeoJSON geometries (lon, lat; WGS 84): the exact one, for
    finding what a circle touches, and one simplified for maps. Rows are never deleted, since
    messages refer to them; one that left the city's list is ``active=False``.
    """

    code = models.CharField(_("key"), max_length=80, unique=True)
    name = models.CharField(_("name"), max_length=120)
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("part of")
    )
    boundary = models.JSONField(_("boundary"), null=True, blank=True)
    outline = models.JSONField(_("outline for maps"), null=True, blank=True)
    order = models.PositiveIntegerField(_("order"), default=0)
    active = models.BooleanField(_("in use"), default=True)

    class Meta:
        ordering = ["order", "name"]
        verbose_name = _("area")
        verbose_name_plural = _("areas")
        constraints = [
            models.CheckConstraint(name="area_is_not_its_own_parent", condition=~Q(parent=F("pk"))),
        ]

    def __str__(self) -> str:
        return self.name
