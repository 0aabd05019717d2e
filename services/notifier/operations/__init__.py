"""Notifier's writes."""
