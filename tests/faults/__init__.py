"""What may break, broken on purpose."""
