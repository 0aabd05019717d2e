"""What every document of an operator has in common: a mistake in a field is an error, never ignored."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def shaped(pattern: str, message: str) -> Any:
    """A text of this form; editors see the pattern, people the message (Spanish)."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern.strip("^$"), value):
            raise ValueError(f"«{value}» {message}")
        return value

    return Field(pattern=pattern), BeforeValidator(check)


Code = Annotated[str, *shaped(r"^[A-Za-z][A-Za-z0-9_]*$", "no sirve de código: letras sin tilde, dígitos y _"), Field(max_length=60)]
Login = Annotated[
    str, *shaped(r"^[A-Za-z][A-Za-z0-9._-]*$", "no sirve de nombre de usuario: letras sin tilde, dígitos, . _ -"), Field(max_length=60)
]
Text = Annotated[str, Field(min_length=1)]


def _forward(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("la duración debe ser mayor que cero")
    return value


Duration = Annotated[timedelta, AfterValidator(_forward)]  # ISO 8601 in YAML: PT24H, P10D


class Document(BaseModel):
    """A part of the operator's files."""

    model_config = ConfigDict(extra="forbid", frozen=True)
