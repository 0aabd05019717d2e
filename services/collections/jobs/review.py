"""What the clock starts in collections: the review of every account at which something may change by time alone, and simulations of it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.operations import simulating
from services.collections.operations.assessing import settle_by
from services.collections.operations.changes import Changes, lock_account
from services.collections.operations.looking import bring_forward, compare_policies, look_later
from services.collections.queries.facts import load_facts
from services.collections.rules.terms import Book
from shared.db import BY_INDEX, Fetched, rows
from shared.jobs import Job, JobContext
from shared.log import get_logger
from shared.transient import is_transient

log = get_logger("collections.review")
FEW = 500  # accounts due, up to which more of a changed policy are brought forward
CHUNK = 250  # short enough for the requests that the same process answers meanwhile
LANES = 2
FIRST = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
SET_ASIDE = timedelta(days=1)
NEXT = "SELECT min(due_at) AS due FROM account_review"
# The account's lock is what counts. Somebody may have reviewed it between our looking and our locking: then it is not due any more.
DUE = """
SELECT a.id, r.due_at FROM account_review r JOIN account a ON a.id = r.account_id
WHERE r.due_at <= $1 AND (r.due_at, r.account_id) > ($2, $3) ORDER BY r.due_at, r.account_id LIMIT $4 FOR UPDATE OF a SKIP LOCKED
"""
# Reviews that are due, as far as it matters; accounts to be brought forward now, and when the next are.
FORWARD = """
SELECT (SELECT count(*) FROM (SELECT FROM account_review WHERE due_at <= $1 LIMIT $2) AS few) AS due,
    EXISTS (SELECT FROM policy_in_force WHERE reached IS NOT NULL) AS now, (SELECT min(again_at) FROM policy_in_force) AS later
"""
SIMULATIONS = "SELECT min(asked_at) AS due FROM cut_simulation WHERE state <> 'DONE'"


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When the next account is to be looked at."""
    return (await rows(session, NEXT))[0].due  # type: ignore[no-any-return]


async def run(context: JobContext) -> int:
    """Review what is due: at once what comes first, and where that is a whole chunk the others two at a time, one being thought about while
    PostgreSQL reads or writes the other. Any number of workers share the chunks. Answers how many accounts."""
    found, done = await _review_chunk(context, FIRST)
    if len(found) < CHUNK:
        return done
    return done + sum(await asyncio.gather(*(_pass(context) for _ in range(LANES))))


async def _pass(context: JobContext) -> int:
    """Once through everything that is due, the longest due first. What is over lies behind and is not looked at again."""
    done, last = 0, FIRST
    while True:
        found, reviewed = await _review_chunk(context, last)
        done += reviewed
        if len(found) < CHUNK:
            return done
        last = (found[-1].due_at, found[-1].id)


async def _review_chunk(context: JobContext, last: tuple[datetime, UUID]) -> tuple[Sequence[Fetched], int]:
    """Review the chunk after `last`; where that fails, one account after the other, so that the one that cannot be reviewed holds up nobody
    else. Answers what was found, and how many of it were due."""
    found: Sequence[Fetched] = []
    try:
        async with context.database.transaction(f"{BY_INDEX}; SELECT {context.database.handover}") as session:
            found = await rows(session, DUE, context.now, *last, CHUNK)
            return found, await _review(session, context, [row.id for row in found])
    except Exception as error:
        if is_transient(error) or not found:
            raise
    return found, sum([await _review_alone(context, row.id) for row in found])


async def _review(session: AsyncSession, context: JobContext, ids: Sequence[UUID]) -> int:
    """Review those of these locked accounts that are due."""
    known = await load_facts(session, ids, now=context.now) if ids else {}
    due = {key: each for key, each in known.items() if each.next_review_at is not None and each.next_review_at <= context.now}
    versions = {key: each.version for key, each in due.items()}
    await settle_by(session, Changes(Book(context.operator), context.now, versions), due)
    return len(due)


async def _review_alone(context: JobContext, account_id: UUID) -> int:
    """Review one account; one that cannot be is set aside for a day, for a person to look at."""
    try:
        async with context.database.transaction() as session:
            await lock_account(session, account_id, book=Book(context.operator), now=context.now)
            return await _review(session, context, [account_id])
    except Exception as error:
        if is_transient(error):
            raise
        log.error("account could not be reviewed", account=str(account_id), error=type(error).__name__, exc_info=True)
        async with context.database.transaction() as session:
            await lock_account(session, account_id, book=Book(context.operator), now=context.now)
            await look_later(session, [(account_id, context.now + SET_ASIDE)])
        return 1


async def simulation_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When the oldest simulation that is not done was asked for."""
    return (await rows(session, SIMULATIONS))[0].due  # type: ignore[no-any-return]


async def simulate(context: JobContext) -> int:
    """Work out the simulations that were asked for, chunk by chunk, so that a process that dies loses one. Answers how many accounts."""
    done = 0
    while True:
        async with context.database.transaction() as session:
            looked_at = await simulating.advance(session, operator=context.operator, now=context.now)
        if looked_at is None:
            return done
        done += looked_at


async def policies_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """Now, until this process has compared its policies with those in force; then when accounts are to be brought forward."""
    if not context.operator.policies.keys() <= context.resources["compared"]:
        return context.now
    [row] = await rows(session, FORWARD, context.now, FEW)
    if row.now:
        return context.now if row.due < FEW else None  # the review is due, and this is looked at again
    return row.later  # type: ignore[no-any-return]


async def follow_policies(context: JobContext) -> int:
    """Find out at the process's start which policies were changed, and have their accounts reviewed. Answers how many."""
    compared: set[str] = context.resources["compared"]
    if not context.operator.policies.keys() <= compared:
        async with context.database.transaction() as session:
            for code in await compare_policies(session, operator=context.operator, now=context.now):
                log.info("policy changed: its accounts will be reviewed", policy=code)
        compared.update(context.operator.policies)
    async with context.database.transaction() as session:
        return await bring_forward(session, now=context.now)


JOBS = (Job("review", next_due, run), Job("policies", policies_due, follow_policies), Job(simulating.JOB, simulation_due, simulate))
