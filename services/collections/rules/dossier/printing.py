"""A dossier as the template gets it: texts only, in the order in which they are printed."""

from datetime import datetime
from typing import Any

from services.collections.rules.dossier import account, proofs
from services.collections.rules.dossier.content import digest
from services.collections.rules.dossier.story import Story
from services.collections.rules.wording import dated
from shared.operator import Operator

PARTS = (
    account.contract,
    account.invoices,
    account.payments,
    proofs.contacts,
    proofs.agreements,
    proofs.notices,
    proofs.network,
    proofs.tickets,
    proofs.statuses,
    proofs.timeline,
    proofs.rules,
)


def printed(operator: Operator, content: str) -> dict[str, Any]:
    """What `templates/dossier.typ` prints of a canonical content, which goes along to be attached."""
    story = Story.read(operator, content)
    known = story.content["customer"]
    return {
        "issuer": {name: str(getattr(operator, name)) for name in ("name", "legal_name", "tax_id", "address", "phone", "website")},
        "number": story.content["dossier"],
        "customer": {"name": known["name"], "id": known["external_id"], "tax_id": known.get("tax_id") or ""},
        "case": proofs.described(story),
        "requested_by": story.who(story.content["requested_by"]),
        "until": dated(operator, datetime.fromisoformat(story.content["until"])),
        "summary": [list(each) for each in account.summary(story)],
        "sections": [part(story) for part in PARTS],
        "happenings": len(story.content["happenings"]),
        "sha256": digest(content),
        "content": content,
    }
