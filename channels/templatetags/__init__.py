"""Tags of the channels for pages."""
