"""What every document of an operator has in common: a mistake in a field is an error, never ignored."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Code = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]
Login = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*$", max_length=60)]
Text = Annotated[str, Field(min_length=1)]


def _forward(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("la duración debe ser mayor que cero")
    return value


Duration = Annotated[timedelta, AfterValidator(_forward)]  # ISO 8601 in YAML: PT24H, P10D


class Document(BaseModel):
    """A part of the operator's files."""

    model_config = ConfigDict(extra="forbid", frozen=True)
