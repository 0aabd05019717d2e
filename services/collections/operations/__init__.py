"""What collections does: every write, with the events that tell of it."""
