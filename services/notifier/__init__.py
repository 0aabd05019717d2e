"""Notifier: notices become messages, messages become deliveries."""
