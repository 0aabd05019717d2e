"""policies/*.yaml and qualification.yaml: how a segment of customers is collected from, and who belongs to it."""

from datetime import time
from decimal import Decimal
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from shared.operator.base import Code, Document, Duration, Text
from shared.operator.notices import Channel, MessageLimits

StatusCode = Literal["active", "temporary_active", "under_review", "payment_plan", "restricted", "suspended", "recovery"]
Basis = Literal["payment", "promise", "payment_plan", "review"]
# The decisions of a policy that refusals and explanations justify with a rule of the operator's documents.
Decision = Literal[
    "segment", "due", "portfolio", "dispatch", "receipt", "documentation", "follow_up", "agent", "status", "notice", "promises",
    "day", "suspended", "reconnection", "status_after", "negotiated", "returns", "outage", "recovery",
    "hold", "restriction",
]  # fmt: skip


class Due(Document):
    """The last day in time: a day of the invoice's month, or days after it was issued."""

    day_of_month: int | None = Field(default=None, ge=1, le=31)
    days_after_issue: int | None = Field(default=None, ge=0, le=365)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.day_of_month is None) == (self.days_after_issue is None):
            raise ValueError("indique `day_of_month` o `days_after_issue`, uno de los dos")
        return self


class InvoiceDispatch(Document):
    """When the month's invoice is sent, by whom, and whether its receipt is confirmed with the customer."""

    send_from_day: int = Field(ge=1, le=28)
    send_by_day: int = Field(ge=1, le=28)
    first: bool = False
    sent_by: Literal["agent", "system"]
    confirm_receipt: bool


class Promises(Document):
    """How often and for how long the customer may promise, counted per unpaid month. `longest`: PT24H, P10D … or end_of_month."""

    max_per_month: int = Field(ge=0, le=10)
    second_within: Duration
    longest: Duration | Literal["end_of_month"]


class Reminder(Document):
    """A reminder of the due day: negative days are days after it. `at` in the operator's time zone."""

    code: Code
    days_before_due: int
    at: time
    notice: Code


class AllowedFrom(Document):
    """From when on the service may be cut: the end of a day of the unpaid month, or an hour some days after the due day."""

    day_of_month: int | None = Field(default=None, ge=1, le=31)
    days_after_due: int | None = Field(default=None, ge=0, le=365)
    at: time | Literal["end_of_day"] = "end_of_day"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.day_of_month is None) == (self.days_after_due is None):
            raise ValueError("indique `day_of_month` o `days_after_due`, uno de los dos")
        return self


class SuspensionNotice(Document):
    """The notice (its code) that must have been accepted by all its receivers for `before` until a cut is allowed."""

    name: Code
    before: Duration


class ByDelivery(Document):
    """The procedure for each way of delivery."""

    own: Code
    third_party: Code


class Approval(Document):
    """The system cuts on a day only whom a manager approved for it, at most `daily_cap` a day; `order` says who comes first when more are
    due. `rule` is the operator's, for refusals and explanations."""

    required: bool = True
    daily_cap: int | None = Field(default=None, ge=1)
    order: Literal["largest_debt", "oldest_debt"] = "largest_debt"
    rule: str


class Suspension(Document):
    """When, by whom and how a customer is cut. `reported_payment_counts`: what holds it off, a payment reported in full or any.
    `wait_for_late_debts`: how long a debt waits that allowed a cut already when it was imported, when its payment bounced, or when
    `allowed_from` was changed.
    `retry_refused_after`: when the system orders again what the network refused, a cut or a reconnection; without it only a person does.
    `approval`: of what the system decides.
    """

    allowed_from: AllowedFrom
    wait_for_late_debts: Duration | None = None
    retry_refused_after: Duration | None = None
    requires_status: StatusCode = "active"
    only_assigned_agent: bool
    notice: SuspensionNotice | None = None
    reported_payment_counts: Literal["full", "any"] = "full"
    approval: Approval | None = None
    procedure: ByDelivery


class Restriction(Document):
    """Before the cut: who owes keeps its connection, and every page that it opens is the operator's payment page. From `allowed_from` on,
    always before the cut; only what the operator's own network delivers, and only where the system decides. What is paid, taken back or
    disputed lifts it (`suspension.reported_payment_counts`), and so do the agreements of `lifted_by` while they run. `procedure` is what
    ticketing opens to restrict, `release_procedure` to release."""

    allowed_from: AllowedFrom
    lifted_by: list[Literal["promise", "payment_plan", "review"]] = ["promise", "payment_plan", "review"]
    procedure: Code
    release_procedure: Code


class Reconnection(Document):
    """On what a customer is reconnected, by whom, and the status that follows by what was negotiated."""

    decided_by: Literal["person", "system"]
    target_status: dict[Basis, StatusCode]
    procedure: ByDelivery


class LateFee(Document):
    """A fee for what is unpaid `days_after_due` days after its last day, at an hour in the operator's time zone: an amount in the
    operator's currency, or a percentage of what is open then; taxes come on top. `once_per` late invoice, or each month while something
    is late. `rule` is the operator's."""

    days_after_due: int = Field(ge=1, le=365)
    at: time = time(9)
    amount: Decimal | None = Field(default=None, gt=0)
    percent: Decimal | None = Field(default=None, gt=0, le=100)
    once_per: Literal["invoice", "month"] = "invoice"
    rule: str

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.amount is None) == (self.percent is None):
            raise ValueError("indique `amount` o `percent`, uno de los dos")
        return self


class ReconnectionFee(Document):
    """A fee for a reconnection, due when it is ordered; an amount in the operator's currency, taxes come on top."""

    amount: Decimal = Field(gt=0)
    rule: str


class Fees(Document):
    """What a policy charges beside the plan. A fee alone is never a reason to cut."""

    late: LateFee | None = None
    reconnection: ReconnectionFee | None = None


class Disputes(Document):
    """What disputes of a customer do to its status; the disputed amount itself is never collected, whatever is said here. `under_review`:
    the customer is under review while `all` that it owes is disputed, as soon as `any` of it is, or `never` for that. Disputes that come
    to less than `at_least` together (in the operator's currency) do not count."""

    under_review: Literal["all", "any", "never"] = "all"
    at_least: Decimal | None = Field(default=None, gt=0)


class Recovery(Document):
    """When the case of a cut customer that still owes goes to recovery: this day of a month that follows the oldest unpaid one, the first
    after the cut, at an hour in the operator's time zone. `procedure` is what ticketing opens then."""

    day_of_month: int = Field(ge=1, le=31)
    at: time = time(0)
    procedure: Code


class Choice(Document):
    """What the operator's document leaves open and these files decide; explanations say so."""

    rule: str
    text: Text


class Policy(Document):
    """policies/<code>.yaml. `worked_by_agents`: what the system decides is followed up by the customers' agents, too: they are in the
    worklist."""

    code: Code
    name: Text
    decided_by: Literal["person", "system"]
    statuses: dict[StatusCode, Text]
    rules: dict[Decision, str]
    due: Due
    invoice: InvoiceDispatch
    promises: Promises
    reminders: list[Reminder] = []
    restriction: Restriction | None = None
    suspension: Suspension
    reconnection: Reconnection
    recovery: Recovery | None = None
    fees: Fees | None = None
    disputes: Disputes = Disputes()
    messages: dict[Channel, MessageLimits] = {}
    choices: list[Choice] = []
    worked_by_agents: bool = False

    @model_validator(mode="after")
    def _approvable(self) -> Self:
        if self.suspension.approval is not None and self.decided_by == "person":
            raise ValueError("`suspension.approval` es para lo que decide el sistema: con `decided_by: person` ya decide una persona")
        return self

    @model_validator(mode="after")
    def _restrictable(self) -> Self:
        if self.restriction is not None and self.decided_by == "person":
            raise ValueError("`restriction` la decide el sistema: con `decided_by: person` nadie la ordena")
        return self

    @model_validator(mode="after")
    def _complete(self) -> Self:
        optional = set() if self.recovery else {"recovery"}
        optional |= set() if self.restriction else {"restricted", "restriction"}
        for name, wanted, given in (
            ("statuses", StatusCode, self.statuses),
            ("rules", Decision, self.rules),
            ("reconnection.target_status", Basis, self.reconnection.target_status),
        ):
            missing = sorted(set(get_args(wanted)) - set(given) - optional)
            if missing:
                raise ValueError(f"a `{name}` le falta: {', '.join(missing)}")
        return self


class Criterion(Document):
    """One reason that suffices. Exactly one test is given."""

    code: Code
    text: Text
    plan_kinds: list[Code] | None = None
    is_isp: Literal[True] | None = None
    monthly_amount_above: Decimal | None = None
    special_negotiation: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = (self.plan_kinds, self.is_isp, self.monthly_amount_above, self.special_negotiation)
        if sum(each is not None for each in tests) != 1:
            raise ValueError("indique exactamente un criterio: plan_kinds, is_isp, monthly_amount_above o special_negotiation")
        return self


class Qualification(Document):
    """qualification.yaml: who belongs to a policy's segment; any one criterion suffices."""

    policy: Code
    rule: str
    any_of: list[Criterion] = Field(min_length=1)
