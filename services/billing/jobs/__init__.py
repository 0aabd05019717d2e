"""What the clock starts in billing."""

from services.billing.jobs import imports, overdue, plans, runs

JOBS = (imports.JOB, runs.JOB, overdue.JOB, plans.JOB)
