"""A change that an old reader could not bear is refused. Planted changes prove that the check can fail."""

from datetime import date, datetime
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from services.contracts import breaking
from shared.events.base import Amount


class Part(BaseModel):
    amount: Amount
    note: str | None = None


class Before(BaseModel):
    """What readers know."""

    invoice_id: str
    due: date
    kind: Literal["run", "opening"]
    parts: list[Part]
    comment: str | None = None


def problems(after: type[BaseModel]) -> list[str]:
    old, new = Before.model_json_schema(mode="serialization"), after.model_json_schema(mode="serialization")
    return breaking(old, new, old["$defs"], new["$defs"])


def changed(**fields: object) -> type[BaseModel]:
    """`Before` with some fields of another shape."""
    annotations = {name: annotation for name, annotation in (Before.__annotations__ | fields).items() if annotation is not None}
    defaults = {"comment": None} if "comment" in annotations else {}
    return type("After", (BaseModel,), {"__annotations__": annotations, "__module__": __name__, **defaults})


class PartWithMore(BaseModel):
    amount: Amount
    note: str | None = None
    tax: str


class PartWithLess(BaseModel):
    amount: Amount


def test_the_same_is_not_a_change() -> None:
    assert problems(changed()) == []


def test_a_new_optional_field_is_fine() -> None:
    class After(Before):
        explained_by: str | None = None

    assert problems(After) == []


def test_other_words_in_a_description_are_fine() -> None:
    class After(Before):
        """Said better."""

        invoice_id: str = Field(description="which one")

    assert problems(After) == []


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (changed(due=None), "due: was removed"),
        (changed(comment=None), "comment: was removed"),
        (changed(new=str), "new: is new and required"),
        (changed(due=datetime), "due: format date"),
        (changed(invoice_id=int), "invoice_id: type string became type integer"),
        (changed(invoice_id=str | None), "invoice_id: type string became"),
        (changed(invoice_id=Annotated[str, Field(pattern="^A")]), "invoice_id: type string became pattern"),
        (changed(kind=Literal["run", "opening", "manual"]), "kind: enum"),
        (changed(kind=Literal["run"]), "kind: enum"),
        (changed(parts=Part), "parts: items"),
        (changed(parts=list[PartWithMore]), "parts[].tax: is new and required"),
        (changed(parts=list[PartWithLess]), "parts[].note: was removed"),
    ],
)
def test_a_breaking_change_is_named(after: type[BaseModel], says: str) -> None:
    found = problems(after)
    assert len(found) == 1
    assert found[0].startswith(says)


def test_a_field_that_stops_being_required_is_named() -> None:
    class After(Before):
        invoice_id: str = ""

    assert problems(After) == ["invoice_id: became optional"]
