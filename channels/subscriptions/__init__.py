"""Residents subscribe, confirm, manage and leave; who is reached by a message."""
