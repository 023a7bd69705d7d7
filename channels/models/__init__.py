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
    State,
)
from .subscriptions import Prepared, SignUp, Subscription, SubscriptionArea, Way

__all__ = [
    "BY_BATCHES",
    "MOVES",
    "Attempt",
    "Batch",
    "Delivery",
    "Heartbeat",
    "Hold",
    "Leased",
    "Post",
    "Prepared",
    "Recipient",
    "SignUp",
    "State",
    "Subscription",
    "SubscriptionArea",
    "Way",
]
