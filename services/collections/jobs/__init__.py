"""What the clock starts in collections."""

from services.collections.jobs import dossiers, figures, review

JOBS = (*review.JOBS, dossiers.JOB, figures.JOB)
