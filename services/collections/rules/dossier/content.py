"""The content of a dossier as one text in a fixed form, and its hash.

# Note [Canonical]
JSON as RFC 8259, in UTF-8 without escapes of letters, names sorted, no blanks, instants in UTC, amounts as decimal strings. Whoever has
the text (it is attached to the PDF) can work out the SHA-256 that is printed in it, with any tool.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.operator import Operator

FORMAT = "reconecta.expediente/1"


@dataclass(frozen=True)
class Subject:
    """Whose dossier, which one, who asked for it and when, and up to which instant it tells (UTC). `suspension_id` names the case."""

    dossier_id: UUID
    suspension_id: UUID | None
    requested_by: str
    requested_at: datetime
    until: datetime


def canonical(
    operator: Operator, subject: Subject, customer: Mapping[str, Any], statuses: Sequence[Any], told: Sequence[Mapping[str, Any]]
) -> str:
    """The content: the customer as it is known, every step of its status, and everything that was told of it. See Note [Canonical]."""
    content = {
        "format": FORMAT,
        "operator": {"code": operator.code, "legal_name": operator.legal_name, "tax_id": operator.tax_id},
        "dossier": subject.dossier_id,
        "case": subject.suspension_id,
        "requested_by": subject.requested_by,
        "requested_at": subject.requested_at,
        "until": subject.until,
        "customer": customer,
        "statuses": statuses,
        "happenings": told,
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)


def digest(content: str | bytes) -> str:
    """Its SHA-256 in hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def _plain(value: Any) -> str:
    """Instants and days in ISO 8601, ids and amounts as their text."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
