"""Whose accounts a person sees: an agent its own list, everybody else who may read all of them (VIP-4)."""

from shared.auth import Principal
from shared.errors import Forbidden
from shared.operator import Operator
from shared.web import permits

READ, WORK, PORTFOLIOS, LISTS = "collections.read", "collections.work", "collections.portfolios", "collections.vip_lists"


def sees_all(actor: Principal, documents: Operator) -> bool:
    """Managers, and readers who have no portfolio of their own, see every account."""
    return documents.may(actor.desks, PORTFOLIOS) or not documents.may(actor.desks, WORK)


def agent_shown(actor: Principal, documents: Operator, asked: str | None) -> str | None:
    """The agent whose accounts a list shows; None is all of them. Raises Forbidden for a colleague's list."""
    permits(actor, documents, READ)
    if sees_all(actor, documents):
        return asked
    if asked not in (None, actor.person):
        rule = documents.policies[documents.qualification.policy].rules["portfolio"]
        raise Forbidden(
            f"La cartera de {asked} la ven solo su gestor y la gerencia.",
            rule=rule,
            remedy=f"Deje `agent` vacío: verá la cartera de {actor.name}.",
        )
    return actor.person
