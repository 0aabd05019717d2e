"""What every document of an operator has in common: a mistake in a field is an error, never ignored."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Code = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]
Login = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*$", max_length=60)]
Text = Annotated[str, Field(min_length=1)]
Duration = timedelta  # ISO 8601 in YAML: PT24H, P10D


class Document(BaseModel):
    """A part of the operator's files."""

    model_config = ConfigDict(extra="forbid", frozen=True)
