"""What notifier does when others speak: it keeps what mails need to know, and makes the messages of the operator's notices.

Every event of every other service is listened to, because any of them may be named in notices/*.yaml.
"""

from collections.abc import Sequence

from services.notifier.operations import facts
from services.notifier.operations.messages import announce
from services.notifier.operations.posts import enlist
from shared.events import CATALOGUE, Event
from shared.events.billing import (
    Allocation,
    CreditNoteIssued,
    CustomerChanged,
    CustomerRegistered,
    InvoiceIssued,
    InvoicePaid,
    InvoiceVoided,
    PaymentAllocated,
    PaymentRejected,
    PaymentReported,
    PaymentReversed,
)
from shared.events.collections import AgentAssigned, SegmentChanged
from shared.routing import Context, EventRouter

events = EventRouter()


async def notify(ctx: Context, told: Sequence[Event]) -> None:
    """The notices that follow from these events become messages, and subscribers get them."""
    await enlist(ctx.session, ctx.envelopes, ctx.now)
    await announce(ctx.session, operator=ctx.operator, events=list(zip(ctx.event_ids, told, strict=True)), now=ctx.now)


@events.on_batch(CustomerRegistered)
async def meet_customers(ctx: Context, told: list[CustomerRegistered]) -> None:
    """Names and addresses for the mails, and the policy that the status in which they came tells."""
    await facts.keep_customers(ctx.session, states=told)
    await facts.keep_opening_policies(ctx.session, operator=ctx.operator, states=told)
    await notify(ctx, told)


@events.on_batch(CustomerChanged)
async def update_customers(ctx: Context, told: list[CustomerChanged]) -> None:
    """The customer as it is now; messages that are out stay as they were."""
    await facts.keep_customers(ctx.session, states=told)
    await notify(ctx, told)


@events.on_batch(SegmentChanged)
async def remember_policies(ctx: Context, told: list[SegmentChanged]) -> None:
    """The policy gives the mails the operator's words."""
    await facts.keep_policies(ctx.session, policies={each.customer_id: each.policy for each in told})
    await notify(ctx, told)


@events.on_batch(AgentAssigned)
async def remember_agents(ctx: Context, told: list[AgentAssigned]) -> None:
    """The agent is whom the customer answers."""
    await facts.keep_agents(ctx.session, agents={each.customer_id: each.agent for each in told})
    await notify(ctx, told)


@events.on_batch(InvoiceIssued)
async def keep_invoices(ctx: Context, told: list[InvoiceIssued]) -> None:
    """The invoice itself, to be printed when it is attached."""
    await facts.keep_invoices(ctx.session, issued=told)
    await notify(ctx, told)


@events.on_batch(InvoicePaid)
async def settle_paid(ctx: Context, told: list[InvoicePaid]) -> None:
    """Nothing of it is owed any more; it is printed as paid from now on."""
    await facts.settle_paid(ctx.session, paid={each.invoice_id: each.paid_at for each in told})
    await notify(ctx, told)


@events.on_batch(InvoiceVoided)
async def settle_voided(ctx: Context, told: list[InvoiceVoided]) -> None:
    """It is printed as void from now on."""
    await facts.settle_voided(ctx.session, invoice_ids=[each.invoice_id for each in told])
    await notify(ctx, told)


@events.on_batch(PaymentReported)
async def believe_payments(ctx: Context, told: list[PaymentReported]) -> None:
    """A reported payment counts already (VIP-12)."""
    await facts.move_open_amounts(ctx.session, allocations=[part for each in told for part in each.allocations], sign=-1)
    await notify(ctx, told)


@events.on_batch(PaymentAllocated)
async def believe_allocations(ctx: Context, told: list[PaymentAllocated]) -> None:
    """Money that was left over goes to invoices."""
    await facts.move_open_amounts(ctx.session, allocations=[part for each in told for part in each.allocations], sign=-1)
    await notify(ctx, told)


@events.on_batch(PaymentRejected)
async def doubt_payments(ctx: Context, told: list[PaymentRejected]) -> None:
    """What was believed paid is owed again."""
    await facts.move_open_amounts(ctx.session, allocations=[part for each in told for part in each.allocations], sign=1)
    await notify(ctx, told)


@events.on_batch(PaymentReversed)
async def reopen_invoices(ctx: Context, told: list[PaymentReversed]) -> None:
    """What a payment had paid is owed again, also where it had settled an invoice."""
    await facts.reopen(ctx.session, allocations=[part for each in told for part in each.allocations])
    await notify(ctx, told)


@events.on_batch(CreditNoteIssued)
async def credit_invoices(ctx: Context, told: list[CreditNoteIssued]) -> None:
    """Less is owed of the invoice, but for what payments had covered of it."""
    less = [Allocation(invoice_id=each.invoice_id, amount=each.amount - sum(part.amount for part in each.freed)) for each in told]
    await facts.move_open_amounts(ctx.session, allocations=less, sign=-1)
    await notify(ctx, told)


for _event in CATALOGUE.values():
    if _event.TYPE not in events.types and not _event.TYPE.startswith("notifier."):
        events.on_batch(_event)(notify)
