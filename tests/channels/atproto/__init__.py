"""The Bluesky channel against a real AT Protocol network: ``python -m tests.channels.atproto``."""
