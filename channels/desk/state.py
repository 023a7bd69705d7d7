"""How the state of a delivery looks: icon and colour of ``alerts.templatetags.desk.state``."""

from ..models import State

LOOKS = {
    State.WAITING: "wait",
    State.SENDING: "run",
    State.DONE: "ok",
    State.FAILED: "bad",
    State.UNCLEAR: "severe",
    State.BY_HAND: "hold",
    State.SUPERSEDED: "hold",
    State.LEFT_OUT: "hold",
}
OPEN = (State.WAITING, State.SENDING)
TROUBLE = (State.FAILED, State.UNCLEAR)
