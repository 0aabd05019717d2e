"""The states that billing's rows go through. Stored as text, guarded by CHECK constraints."""

from enum import StrEnum


class InvoiceState(StrEnum):
    """An invoice is OPEN until confirmed payments cover it (PAID) or somebody voids it (VOIDED); its number stays used for ever."""

    OPEN = "OPEN"
    PAID = "PAID"
    VOIDED = "VOIDED"


class PaymentState(StrEnum):
    """REPORTED: somebody says so, and it already counts (VIP-12, VIP-20). CONFIRMED: the money is there. REJECTED: it never came."""

    REPORTED = "REPORTED"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"


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
