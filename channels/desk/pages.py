"""What the channels bring to the desk: the page of a live alert, deliveries, channels, the gate, the whole page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from alerts.desk.site import Page, desk

from .. import registry
from . import byhand, cards, channels, deliveries, drill, live, outbox, posts, preview, reach, recorded
from .panels import first_screen
from .report import views as report

PAGES = [
    Page("alert/<slug:slug>/", live.alert, "alert"),
    Page("alert/<slug:slug>/progress/<int:number>/", live.progress, "progress"),
    Page("alert/<slug:slug>/report/", report.report, "report"),
    Page("alert/<slug:slug>/report/print/", report.on_paper, "report-print"),
    Page("alert/<slug:slug>/report/csv/", report.as_csv, "report-csv"),
    Page("alert/<slug:slug>/sent/<int:number>/", recorded.sent, "sent"),
    Page("messages/<int:message_id>/gate/", live.gate, "gate"),
    Page("deliveries/", deliveries.listing, "deliveries", _("Deliveries"), place=2),
    Page("deliveries/<int:delivery_id>/again/", deliveries.again, "delivery-again"),
    Page("deliveries/<int:delivery_id>/look-up/", deliveries.look_up, "delivery-look-up"),
    Page("deliveries/<int:delivery_id>/leave-out/", deliveries.leave_out, "delivery-leave-out"),
    Page("deliveries/<int:delivery_id>/sent/", deliveries.sent, "delivery-sent"),
    Page("deliveries/<int:delivery_id>/posted/", byhand.posted, "posted"),
    Page("posts/<int:post_id>/retract/", posts.retract, "retract"),
    Page("cards/<slug:sha256>/", cards.card, "card"),
    Page("cards/<slug:sha256>/clip/", cards.clip, "clip"),
    Page("channels/", channels.channels, "channels", _("Channels"), place=3),
    Page("channels/resume/", channels.resume, "resume"),
    Page("channels/<str:name>/pause/", channels.pause, "channel-pause"),
    Page("channels/<str:name>/resume/", channels.switch_on, "channel-resume"),
    Page("outbox/", outbox.listing, "outbox", outbox.in_the_bar(), place=3),
    Page("outbox/posts/", recorded.posts, "outbox-posts"),
    Page("outbox/<slug:kind>/<str:name>/", outbox.reading, "outbox-reading"),
    Page("drafts/<int:draft_id>/page/<slug:language>/", preview.whole_page, "page-preview"),
    Page("drafts/<int:draft_id>/mail/<str:channel>/<slug:language>/", preview.mail, "mail-preview"),
    Page("drafts/<int:draft_id>/card/<slug:language>/<slug:shape>/", preview.card, "draft-card"),
]


def join() -> None:
    """Put them on the desk."""
    added = desk().added
    added.pages += [*PAGES, *drill.PAGES, *reach.PAGES]
    added.panels.append(first_screen)
    added.channel_label = registry.label
