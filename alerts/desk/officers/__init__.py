"""Officers at the desk: who they are, their roles, how a new one gets in, when each drilled last."""
