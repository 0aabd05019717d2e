"""What the clock starts in notifier."""

from services.notifier.jobs import deliveries, webhooks

JOBS = (deliveries.JOB, webhooks.JOB)
