"""Billing's writes. They get a session first and everything else by keyword, publish their events, never commit and never read a clock."""
