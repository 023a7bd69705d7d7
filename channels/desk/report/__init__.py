"""The after-action report of an alert: on a page, on paper, as a file that can be verified."""
