"""What the clock starts in notifier."""

from services.notifier.jobs import deliveries, sealing, webhooks

JOBS = (deliveries.JOB, webhooks.JOB, sealing.JOB)
