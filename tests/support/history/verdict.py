"""What the judge says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """Something that may not be. `subject` is what it is about (a key, an event's id, an aggregate), `look` where a person finds it."""

    invariant: str
    what: str
    subject: str
    look: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.what}: {self.subject} [look at {self.look}]"
