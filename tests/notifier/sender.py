"""A worker that sends what is due and ends: `python -m tests.notifier.sender DATABASE SMTP INSTANT`, to be killed by a test."""

import asyncio
import sys
from datetime import datetime

from services.notifier.app import SERVICE
from services.notifier.jobs import deliveries
from shared.db import Database
from tests.support.service import serve


async def main(url: str, smtp_url: str, instant: str) -> None:
    database = Database(url, service="notifier")
    async with serve(SERVICE, database, datetime.fromisoformat(instant), smtp_url=smtp_url) as served:
        while await deliveries.run(served.runtime.job_context(await served.now())):
            pass
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
