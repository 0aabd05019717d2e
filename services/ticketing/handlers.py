"""What ticketing does when others speak: the readable map of its reactions."""

from services.ticketing.operations import facts, opening, recoveries, requests, restrictions, steps, suspensions
from shared.events.billing import (
    AgreementRefused,
    CreditNoteIssued,
    CustomerChanged,
    CustomerRegistered,
    InvoiceIssued,
    InvoiceVoided,
    PaymentAllocated,
    PaymentConfirmed,
    PaymentRejected,
    PaymentReported,
    PaymentReversed,
)
from shared.events.collections import (
    AgentAssigned,
    ReconnectionRequested,
    RecoveryRequested,
    RestrictionReleaseRequested,
    RestrictionRequested,
    SuspensionRequested,
    SuspensionWithdrawn,
)
from shared.operator.procedures import ClosingEvent
from shared.routing import Context, EventRouter

events = EventRouter()


@events.on_batch(CustomerRegistered)
async def remember_new_customers(ctx: Context, customers: list[CustomerRegistered]) -> None:
    """Whom tickets are about, and which services can be switched."""
    await facts.remember_customers(ctx.session, states=customers)


@events.on_batch(CustomerChanged)
async def remember_changed_customers(ctx: Context, customers: list[CustomerChanged]) -> None:
    """The next switch goes by what the customer has then."""
    await facts.remember_customers(ctx.session, states=customers)


@events.on_batch(AgentAssigned)
async def remember_agents(ctx: Context, assignments: list[AgentAssigned]) -> None:
    """What no person asked for is the agent's to finish."""
    await facts.remember_agents(ctx.session, agents={each.customer_id: each.agent for each in assignments})


@events.on_batch(InvoiceIssued)
async def remember_invoices(ctx: Context, invoices: list[InvoiceIssued]) -> None:
    """What is open of each invoice decides whether a payment stops a cut."""
    await facts.remember_invoices(ctx.session, invoices=invoices)


@events.on_batch(InvoiceVoided)
async def forget_voided_invoices(ctx: Context, invoices: list[InvoiceVoided]) -> None:
    """Nobody is cut for an invoice that does not count any more."""
    customers = [each.customer_id for each in invoices]
    await facts.lock_customers(ctx.session, customers)
    await facts.void_invoices(ctx.session, invoices=invoices)
    await suspensions.meet_voids(ctx.session, customers=customers, operator=ctx.operator, now=ctx.now)
    await steps.close_on_events(
        ctx.session, events=["invoice_voided", "debt_covered"], customers=customers, operator=ctx.operator, now=ctx.now
    )


@events.on_batch(PaymentReported)
async def let_reported_payments_meet_cuts(ctx: Context, payments: list[PaymentReported]) -> None:
    """A reported payment counts already: it stops a cut, or once that is done takes it back."""
    await _let_meet(ctx, payments, "payment_reported")


@events.on_batch(PaymentConfirmed)
async def let_confirmed_payments_meet_cuts(ctx: Context, payments: list[PaymentConfirmed]) -> None:
    """What is confirmed was reported before; now it cannot be rejected any more."""
    await _let_meet(ctx, payments, "payment_confirmed")


async def _let_meet(ctx: Context, payments: list[PaymentReported] | list[PaymentConfirmed], event: ClosingEvent) -> None:
    customers = [each.customer_id for each in payments]
    await facts.lock_customers(ctx.session, customers)
    await facts.remember_payments(ctx.session, payments=payments)
    await suspensions.meet_payments(ctx.session, told=payments, operator=ctx.operator, now=ctx.now)
    await steps.close_on_events(ctx.session, events=[event, "debt_covered"], customers=customers, operator=ctx.operator, now=ctx.now)


@events.on_batch(PaymentAllocated)
async def let_allocated_money_meet_cuts(ctx: Context, payments: list[PaymentAllocated]) -> None:
    """Money that was left over may cover what a cut was ordered for."""
    customers = [each.customer_id for each in payments]
    await facts.lock_customers(ctx.session, customers)
    await facts.remember_allocations(ctx.session, payments=payments)
    await suspensions.meet_payments(ctx.session, told=payments, operator=ctx.operator, now=ctx.now)
    await steps.close_on_events(ctx.session, events=["debt_covered"], customers=customers, operator=ctx.operator, now=ctx.now)


@events.on_batch(PaymentRejected)
async def forget_rejected_payments(ctx: Context, payments: list[PaymentRejected]) -> None:
    """What they covered is open again. An order that they stopped stays stopped: collections decides anew."""
    await facts.lock_customers(ctx.session, [each.customer_id for each in payments])
    await facts.reject_payments(ctx.session, payments=payments)


@events.on_batch(PaymentReversed)
async def forget_reversed_payments(ctx: Context, payments: list[PaymentReversed]) -> None:
    """What they covered is open again; what was reconnected for them is collections' to judge."""
    await facts.lock_customers(ctx.session, [each.customer_id for each in payments])
    await facts.reject_payments(ctx.session, payments=payments)


@events.on_batch(CreditNoteIssued)
async def let_credit_notes_meet_cuts(ctx: Context, notes: list[CreditNoteIssued]) -> None:
    """Less is owed: an order to cut may have lost its ground."""
    customers = [each.customer_id for each in notes]
    await facts.lock_customers(ctx.session, customers)
    await facts.credit_invoices(ctx.session, notes=notes)
    await suspensions.meet_voids(ctx.session, customers=customers, operator=ctx.operator, now=ctx.now)
    await steps.close_on_events(ctx.session, events=["debt_covered"], customers=customers, operator=ctx.operator, now=ctx.now)


@events.on_batch(RestrictionRequested)
async def open_the_tickets_of_restrictions(ctx: Context, wanted: list[RestrictionRequested]) -> None:
    """The policy's procedure begins: before the cut, the service shows the payment page."""
    await restrictions.request_restrictions(ctx.session, wanted=wanted, operator=ctx.operator, now=ctx.now)


@events.on_batch(RestrictionReleaseRequested)
async def take_off_restrictions(ctx: Context, wanted: list[RestrictionReleaseRequested]) -> None:
    """A payment, an agreement, a hold: the restriction no longer stands."""
    await restrictions.request_releases(ctx.session, wanted=wanted, operator=ctx.operator, now=ctx.now)


@events.on(SuspensionRequested)
async def open_the_ticket_of_a_cut(ctx: Context, wanted: SuspensionRequested) -> None:
    """The policy's procedure begins (VIP-13, VIP-14)."""
    await requests.request_suspension(ctx.session, wanted=wanted, operator=ctx.operator, now=ctx.now)


@events.on(SuspensionWithdrawn)
async def stop_a_cut(ctx: Context, event: SuspensionWithdrawn) -> None:
    """An outage, a hold: the order no longer stands."""
    await requests.withdraw_suspension(
        ctx.session, suspension_id=event.suspension_id, customer_id=event.customer_id, operator=ctx.operator, now=ctx.now
    )
    customers = [event.customer_id]
    await steps.close_on_events(ctx.session, events=["suspension_withdrawn"], customers=customers, operator=ctx.operator, now=ctx.now)


@events.on_batch(ReconnectionRequested)
async def open_the_tickets_of_reconnections(ctx: Context, wanted: list[ReconnectionRequested]) -> None:
    """The policy's procedure begins (VIP-21, VIP-22)."""
    await requests.request_reconnections(ctx.session, wanted=wanted, operator=ctx.operator, now=ctx.now)


@events.on(RecoveryRequested)
async def open_the_ticket_of_a_recovery(ctx: Context, wanted: RecoveryRequested) -> None:
    """The policy's procedure begins (VIP-16, VIP-17)."""
    await recoveries.request_recovery(ctx.session, wanted=wanted, operator=ctx.operator, now=ctx.now)


@events.on(AgreementRefused)
async def open_the_ticket_of_a_refused_agreement(ctx: Context, refused: AgreementRefused) -> None:
    """What was agreed in a ticket and cannot be carried out is somebody's task (VIP-28)."""
    await opening.agreement_refused(ctx.session, refused=refused, operator=ctx.operator, now=ctx.now)
