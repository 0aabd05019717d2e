"""What several answers show in the same way."""

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel

from services.collections.rules.wording import money
from shared.money import round_money
from shared.operator import Operator
from shared.web.columns import NOT_IN_FILES
from shared.web.shapes import MoneyShown


class MoneyView(MoneyShown):
    """An amount: exact for programs, `text` for people."""

    TOLD_BY: ClassVar = "text"
    text: Annotated[str, NOT_IN_FILES]

    model_config = {"json_schema_extra": {"examples": [{"amount": "460.00", "currency": "USD", "text": "$460.00"}]}}


class RuleView(BaseModel):
    """A rule of the operator's documents: its id, its words, where it stands, and what the operator decided where it is silent."""

    TOLD_BY: ClassVar = "id"
    id: str
    text: str
    page: str
    choice: str | None = None


class StatusView(BaseModel):
    """A status: `code` is stable, `label` the operator's word for it."""

    code: str
    label: str

    model_config = {"json_schema_extra": {"examples": [{"code": "active", "label": "CLIENTE VIP"}]}}


class StatusSince(StatusView):
    """A status with since when and why."""

    since: AwareDatetime
    reason: str
    rule: RuleView | None


def money_view(documents: Operator, amount: Decimal, currency: str) -> MoneyView:
    """An amount for the API, rounded to the currency's places."""
    return MoneyView(amount=round_money(amount, documents.money_digits), currency=currency, text=money(documents, amount, currency))


def quote(documents: Operator, rule_id: str) -> RuleView:
    """A rule in the operator's own words; one that its files do not have is quoted by its id."""
    rule = documents.rules.get(rule_id)
    if rule is None:
        return RuleView(id=rule_id, text="", page="")
    return RuleView(id=rule.id, text=rule.text, page=rule.page, choice=rule.choice)
