"""NOC: outages of access nodes."""
