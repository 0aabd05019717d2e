"""What ticketing reads."""
