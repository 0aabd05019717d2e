"""What collections does when others speak: the readable map of its reactions. All of them write facts; the review follows at once."""

from collections.abc import Sequence

from services.collections.operations import deductions, happenings, outcomes, payments, registering, restrictions, tidings
from shared.events import Event
from shared.events.billing import (
    AgreementRefused,
    CreditNoteIssued,
    CreditRefunded,
    CustomerChanged,
    CustomerRegistered,
    DisputeOpened,
    DisputeResolved,
    InvoiceIssued,
    InvoiceOverdue,
    InvoicePaid,
    InvoiceVoided,
    PaymentAllocated,
    PaymentConfirmed,
    PaymentRejected,
    PaymentReported,
    PaymentReversed,
    ServicePlanChanged,
)
from shared.events.noc import OutageClosed, OutageDeclared
from shared.events.notifier import MessageAccepted, MessageFailed
from shared.events.ticketing import (
    AgreementReached,
    ChangeUnresolved,
    ReconnectionOrdered,
    RestrictionEnded,
    RestrictionUnresolved,
    ServiceReconnected,
    ServiceRestricted,
    ServiceSuspended,
    StepFinished,
    StepOverdue,
    SuspensionCancelled,
    SwitchUnresolved,
    TicketClosed,
    TicketOpened,
    WorkOrderScheduled,
)
from shared.routing import Context, EventRouter, FactMissing

events = EventRouter()


@events.beside
async def keep_happenings(ctx: Context, told: Sequence[Event]) -> None:
    """Whatever touches a customer is a line of its timeline."""
    await happenings.keep(ctx.session, told, now=ctx.now)


async def only_tell(ctx: Context, told: list[Event]) -> None:
    """Nothing follows from these for collections but their line in the timeline."""


for each in (
    ServicePlanChanged,
    CreditRefunded,
    AgreementRefused,
    TicketOpened,
    StepFinished,
    StepOverdue,
    WorkOrderScheduled,
    AgreementReached,
    ChangeUnresolved,
    RestrictionUnresolved,
):
    events.on_batch(each)(only_tell)


@events.on_batch(CustomerRegistered)
async def open_accounts(ctx: Context, customers: list[CustomerRegistered]) -> None:
    """Every customer has an account, under the policy and in the status that its opening state names."""
    await registering.register(ctx.session, customers=customers, operator=ctx.operator, now=ctx.now)


@events.on_batch(CustomerChanged)
async def follow_customers(ctx: Context, customers: list[CustomerChanged]) -> None:
    """Names, contacts, services and nodes follow billing."""
    known = await registering.change(ctx.session, customers=customers, operator=ctx.operator, now=ctx.now)
    if unknown := {each.customer_id for each in customers} - known:
        raise FactMissing(f"customer {min(unknown)} is not known yet")


@events.on_batch(InvoiceIssued)
async def keep_invoices(ctx: Context, invoices: list[InvoiceIssued]) -> None:
    """The month's ladder begins."""
    await tidings.invoices_issued(ctx.session, invoices=invoices, operator=ctx.operator, now=ctx.now)


@events.on_batch(InvoiceOverdue)
async def keep_overdue(ctx: Context, invoices: list[InvoiceOverdue]) -> None:
    """Kept with the invoice; the ladder looks at the days itself."""
    await tidings.invoices_overdue(ctx.session, invoices=invoices, now=ctx.now)


@events.on_batch(InvoicePaid)
async def keep_paid(ctx: Context, invoices: list[InvoicePaid]) -> None:
    """Nothing of these invoices is owed any more."""
    await tidings.invoices_paid(ctx.session, invoices=invoices, now=ctx.now)


@events.on_batch(InvoiceVoided)
async def keep_voided(ctx: Context, invoices: list[InvoiceVoided]) -> None:
    """Nobody is cut for an invoice that was taken back."""
    await tidings.invoices_voided(ctx.session, invoices=invoices, now=ctx.now)


@events.on_batch(PaymentReported)
async def believe_payments(ctx: Context, reported: list[PaymentReported]) -> None:
    """A reported payment counts already: promises are kept by it, cuts held off, reconnections possible."""
    await payments.payments_reported(ctx.session, payments=reported, now=ctx.now)


@events.on_batch(PaymentConfirmed)
async def confirm_payments(ctx: Context, confirmed: list[PaymentConfirmed]) -> None:
    """The customer is in order again."""
    await payments.payments_confirmed(ctx.session, payments=confirmed, now=ctx.now)


@events.on_batch(PaymentRejected)
async def disbelieve_payments(ctx: Context, rejected: list[PaymentRejected]) -> None:
    """The ladder goes on where the month stands."""
    await payments.payments_rejected(ctx.session, payments=rejected, now=ctx.now)


@events.on_batch(PaymentReversed)
async def disbelieve_bounced_payments(ctx: Context, bounced: list[PaymentReversed]) -> None:
    """What had been paid is owed again: back to the ladder."""
    await payments.payments_reversed(ctx.session, payments=bounced, now=ctx.now)


@events.on_batch(CreditNoteIssued)
async def deduct_credit_notes(ctx: Context, notes: list[CreditNoteIssued]) -> None:
    """Less is owed."""
    await deductions.credit_notes_issued(ctx.session, notes=notes, now=ctx.now)


@events.on_batch(DisputeOpened)
async def leave_out_disputed(ctx: Context, disputes: list[DisputeOpened]) -> None:
    """Nobody collects what the customer disputes; the rest goes on."""
    await deductions.disputes_opened(ctx.session, disputes=disputes, now=ctx.now)


@events.on_batch(DisputeResolved)
async def take_up_disputed(ctx: Context, disputes: list[DisputeResolved]) -> None:
    """What was disputed is collected again, or was taken back."""
    await deductions.disputes_resolved(ctx.session, disputes=disputes, now=ctx.now)


@events.on_batch(PaymentAllocated)
async def allocate_payments(ctx: Context, allocated: list[PaymentAllocated]) -> None:
    """Money that was left over pays newer invoices."""
    await payments.payments_allocated(ctx.session, payments=allocated, now=ctx.now)


@events.on_batch(MessageAccepted)
async def count_from_acceptance(ctx: Context, accepted: list[MessageAccepted]) -> None:
    """The hours of a notice begin when the last mail server took it (VIP-10)."""
    await outcomes.messages_accepted(ctx.session, events=accepted, now=ctx.now)


@events.on_batch(MessageFailed)
async def note_failed_notices(ctx: Context, failed: list[MessageFailed]) -> None:
    """A notice that did not reach everybody does not count."""
    await outcomes.messages_failed(ctx.session, events=failed, now=ctx.now)


@events.on_batch(ServiceSuspended)
async def note_cuts(ctx: Context, answers: list[ServiceSuspended]) -> None:
    """The customer is suspended from that instant."""
    await outcomes.services_suspended(ctx.session, events=answers, now=ctx.now)


@events.on_batch(SuspensionCancelled)
async def note_no_cuts(ctx: Context, answers: list[SuspensionCancelled]) -> None:
    """The order to cut is over; an outage's is given anew when the node works again."""
    await outcomes.suspensions_cancelled(ctx.session, events=answers, now=ctx.now)


@events.on_batch(ReconnectionOrdered)
async def note_crossings(ctx: Context, answers: list[ReconnectionOrdered]) -> None:
    """Ticketing reconnects by itself because a payment and the cut crossed."""
    await outcomes.reconnections_ordered(ctx.session, events=answers, operator=ctx.operator, now=ctx.now)


@events.on_batch(ServiceReconnected)
async def note_reconnections(ctx: Context, answers: list[ServiceReconnected]) -> None:
    """The customer goes to the status that was negotiated (VIP-21)."""
    await outcomes.services_reconnected(ctx.session, events=answers, operator=ctx.operator, now=ctx.now)


@events.on_batch(TicketClosed)
async def note_failed_reconnections(ctx: Context, closed: list[TicketClosed]) -> None:
    """A reconnection that did not come about may be asked for again."""
    await outcomes.tickets_closed(ctx.session, events=closed, now=ctx.now)
    await restrictions.releases_closed(ctx.session, events=closed, now=ctx.now)


@events.on_batch(ServiceRestricted)
async def note_restrictions(ctx: Context, answers: list[ServiceRestricted]) -> None:
    """The customer sees the payment page from that instant."""
    await restrictions.services_restricted(ctx.session, events=answers, now=ctx.now)


@events.on_batch(RestrictionEnded)
async def note_the_end_of_restrictions(ctx: Context, answers: list[RestrictionEnded]) -> None:
    """It was taken off, the cut took its place, or it never was."""
    await restrictions.restrictions_ended(ctx.session, events=answers, now=ctx.now)


@events.on(SwitchUnresolved)
async def note_unresolved(ctx: Context, event: SwitchUnresolved) -> None:
    """Somebody should look at the network; the account shows it."""
    await outcomes.switch_unresolved(ctx.session, event=event, now=ctx.now)


@events.on(OutageDeclared)
async def pause_cuts(ctx: Context, event: OutageDeclared) -> None:
    """Nobody behind the node is cut meanwhile."""
    await tidings.outage_declared(ctx.session, outage_id=event.outage_id, access_node=event.access_node, at=event.declared_at, now=ctx.now)


@events.on(OutageClosed)
async def resume_cuts(ctx: Context, event: OutageClosed) -> None:
    """What the outage held up goes on."""
    await tidings.outage_closed(ctx.session, outage_id=event.outage_id, access_node=event.access_node, at=event.closed_at, now=ctx.now)
