"""System checks of the domain: a wrong setting speaks at start."""
