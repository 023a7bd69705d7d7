"""Ways to a draft besides the desk."""
