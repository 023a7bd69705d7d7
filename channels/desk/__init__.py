"""Officers' pages about deliveries."""
