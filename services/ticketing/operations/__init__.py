"""What ticketing changes, and tells."""
