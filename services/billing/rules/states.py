"""The states that billing's rows go through. Stored as text, guarded by CHECK constraints."""

from enum import StrEnum


class InvoiceState(StrEnum):
    """An invoice is OPEN until confirmed payments cover it (PAID) or somebody voids it (VOIDED); its number stays used for ever."""

    OPEN = "OPEN"
    PAID = "PAID"
    VOIDED = "VOIDED"


class PaymentState(StrEnum):
    """REPORTED: somebody says so, and it already counts (VIP-12, VIP-20). CONFIRMED: the money is there. REJECTED: it never came.
    REVERSED: it counted and counts no longer, because the bank took it back or it was another customer's."""

    REPORTED = "REPORTED"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    REVERSED = "REVERSED"

    @property
    def counts(self) -> bool:
        """Does its money stand on invoices?"""
        return self in (PaymentState.REPORTED, PaymentState.CONFIRMED)


class DisputeState(StrEnum):
    """OPEN: nobody collects the amount. ACCEPTED: a credit note took it back. REJECTED: it is owed after all."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


class AgreementState(StrEnum):
    """What became of something agreed in a ticket. CARRIED_OUT: the plan was changed. NOTED: nothing to change in billing, a note is kept.
    REFUSED: it cannot be carried out as it stands there; somebody looks at it."""

    CARRIED_OUT = "CARRIED_OUT"
    NOTED = "NOTED"
    REFUSED = "REFUSED"


class RunState(StrEnum):
    """REFUSED: planning found that the fiscal numbers do not suffice, nothing was issued; it may be tried again."""

    REFUSED = "REFUSED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"


class ImportState(StrEnum):
    """QUEUED: the file is on disk. READING: rows are parsed and staged. MERGING: good rows become customers or payments."""

    QUEUED = "QUEUED"
    READING = "READING"
    MERGING = "MERGING"
    DONE = "DONE"
    FAILED = "FAILED"


class Severity(StrEnum):
    """ERROR: the row was not applied. NOTICE: it was, without the value named."""

    ERROR = "ERROR"
    NOTICE = "NOTICE"


class Account(StrEnum):
    """The ledger's accounts. A posting moves an amount from one to another, so it balances by its shape."""

    RECEIVABLE = "RECEIVABLE"
    REVENUE = "REVENUE"
    TAX = "TAX"
    OPENING = "OPENING"
    CASH = "CASH"
    CUSTOMER_CREDIT = "CUSTOMER_CREDIT"
