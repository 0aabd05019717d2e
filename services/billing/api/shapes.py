"""Texts that several of billing's routes take."""

from typing import Annotated

from pydantic import StringConstraints

Code = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
