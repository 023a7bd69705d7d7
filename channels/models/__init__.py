"""The tables of the channels."""

from .deliveries import (
    BY_BATCHES,
    MOVES,
    Attempt,
    Batch,
    Delivery,
    Heartbeat,
    Hold,
    Leased,
    Post,
    Recipient,
    Retraction,
    State,
)
from .platforms import Audience, Pause, Reached
from .subscriptions import Prepared, SignUp, Subscription, SubscriptionArea, Way

__all__ = [
    "BY_BATCHES",
    "MOVES",
    "Attempt",
    "Audience",
    "Batch",
    "Delivery",
    "Heartbeat",
    "Hold",
    "Leased",
    "Pause",
    "Post",
    "Prepared",
    "Reached",
    "Recipient",
    "Retraction",
    "SignUp",
    "State",
    "Subscription",
    "SubscriptionArea",
    "Way",
]
