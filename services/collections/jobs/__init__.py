"""What the clock starts in collections."""

from services.collections.jobs import dossiers, review

JOBS = (*review.JOBS, dossiers.JOB)
