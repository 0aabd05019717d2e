"""What the clock starts in billing."""

from services.billing.jobs import imports, overdue, runs

JOBS = (imports.JOB, runs.JOB, overdue.JOB)
