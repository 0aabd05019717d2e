"""A dossier's file: what its bytes say of themselves, and what is said of a file that somebody brings."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.collections.rules.wording import dated, who
from shared.operator import Operator

MARK = re.compile(rb"reconecta-expediente:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
PAGE = re.compile(rb"/Type\s*/Page\b(?!s)")


@dataclass(frozen=True)
class Given:
    """A dossier that was given out: about whom, to whom, and when (UTC)."""

    dossier_id: UUID
    customer_id: UUID
    customer_name: str
    external_id: str
    requested_by: str
    ready_at: datetime
    file_sha256: str


@dataclass(frozen=True)
class FileVerdict:
    """What a file is: exactly a dossier that was given out (`genuine`), one that was changed since, or (without `given`) neither."""

    sha256: str
    genuine: bool
    given: Given | None

    def said(self, operator: Operator) -> str:
        """The verdict in a sentence."""
        if self.given is None:
            return f"No es ningún expediente que {operator.legal_name} haya entregado: su huella no está en el registro."
        known = self.given
        what = f"el expediente {known.dossier_id} de {known.customer_name} ({known.external_id})"
        when = f"que se le entregó a {who(operator, known.requested_by)} el {dated(operator, known.ready_at)}"
        if self.genuine:
            return f"Es exactamente {what}, {when}."
        changed = f"fue cambiado. Su huella es {self.sha256}, y la del entregado {known.file_sha256}."
        return f"Dice ser {what}, {when}, pero no es ese archivo: {changed}"


def number_in(file: bytes) -> UUID | None:
    """The number that a file's metadata gives itself."""
    found = MARK.search(file)
    return UUID(found[1].decode()) if found else None


def pages_of(file: bytes) -> int:
    """How many pages a file of ours has."""
    return len(PAGE.findall(file))
