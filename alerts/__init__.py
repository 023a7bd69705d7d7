"""What the city says and who agreed: the domain."""
