"""Billing's hands outside PostgreSQL and Kafka: files on disk."""
