"""What the clock starts in ticketing."""

from services.ticketing.jobs import deadlines, switching

JOBS = (switching.JOB,)
TIMERS = deadlines.router
