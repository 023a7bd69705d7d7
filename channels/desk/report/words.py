"""What the report calls events that stand in no line of the record."""

from django.utils.translation import gettext_lazy

from ...timeline import CHANNEL, GATE, WAS_PAUSED

OURS = {
    CHANNEL: gettext_lazy("Channel"),
    GATE: gettext_lazy("Page and feeds are public, the gate is open"),
    WAS_PAUSED: gettext_lazy("Channel was paused already"),
}
