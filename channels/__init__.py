"""How an approved message leaves: channels, deliveries, jobs."""
