"""Finding people for the parts of the story: customers as billing and collections show them."""

from decimal import Decimal

from services.demo.story import Party, Story


async def open_parties(story: Story, policy: str) -> list[Party]:
    """The customers under a policy whose invoice of the month (not a fee) is not covered, by their code."""
    reader = story.people.with_permission("billing.invoices")
    invoices = {
        each["customer_id"]: each
        async for each in story.people.every(reader, "/billing/invoices", period=story.period, state="OPEN")
        if each["fee"] is None and Decimal(each["balance"]["amount"]) > Decimal(each["reported"]["amount"])
    }
    manager = story.people.with_permission("collections.portfolios", desk="gerente_cobros")
    found = []
    async for account in story.people.every(manager, "/collections/customers", policy=policy):
        invoice = invoices.get(account["customer_id"])
        if invoice is None:
            continue
        sold = (await story.people.get(reader, f"/billing/customers/{account['customer_id']}"))["services"]
        third = any(each["delivery"] == "third_party" for each in sold)
        found.append(
            Party(
                id=account["customer_id"],
                external_id=account["external_id"],
                name=account["name"],
                agent=account["agent"],
                delivery="third_party" if third else "own",
                node=next((each["access_node"] for each in sold if each["access_node"]), None),
                invoice_id=invoice["id"],
                number=invoice["number"],
                owed=Decimal(account["owed"]["amount"]),
            )
        )
    return sorted(found, key=lambda each: each.external_id)
