"""What the clock starts in notifier."""

from services.notifier.jobs import deliveries

JOBS = (deliveries.JOB,)
