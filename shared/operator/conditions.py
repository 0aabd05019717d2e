"""`when:` in an operator's files: what fields or facts must be for something to hold."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from shared.operator.base import Code, Document


def _as_word(value: Any) -> Any:
    """A yes or no is asked for as `true` or `false`, as YAML has it."""
    return str(value).lower() if isinstance(value, bool) else value


Word = Annotated[str, BeforeValidator(_as_word, json_schema_input_type=str | bool)]


class Unless(Document):
    """`{not: …}`: any value but these."""

    other_than: Word | list[Word] = Field(alias="not")


Condition = Word | list[Word] | Unless
When = dict[Code, Condition]


def holds(condition: Condition, value: object) -> bool:
    """Does a value satisfy a condition: equal to it, one of its list, or none of its `not`? Of several values one is enough; a field that
    is empty (null) equals the empty text."""
    if isinstance(condition, Unless):
        return not holds(condition.other_than, value)
    if isinstance(value, list | tuple | set | frozenset):
        return any(holds(condition, each) for each in value)
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text in values_of(condition)


def all_hold(when: Mapping[str, Condition], facts: Mapping[str, Any]) -> bool:
    """Do all conditions hold? A fact that is not known satisfies none but a `not`."""
    return all(holds(condition, facts.get(name, ())) for name, condition in when.items())


def values_of(condition: Condition) -> list[str]:
    """The values that a condition names."""
    if isinstance(condition, Unless):
        return values_of(condition.other_than)
    return condition if isinstance(condition, list) else [condition]
