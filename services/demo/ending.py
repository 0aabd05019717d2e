"""The last chapter: the month in figures, one customer explained, and where to look."""

import time
from datetime import datetime, timedelta
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from services.demo.background import LOG
from services.demo.story import Party, Story
from services.installation import Running

TOKEN_LIFETIME = timedelta(days=7)


async def tell(story: Story, running: Running, data: Path, token: str) -> None:
    """Show it all."""
    story.title("31 de marzo · el mes en cifras")
    await _figures(story)
    chosen = next(
        (each for part in ("incumple", "corte por terceros", "corte", "cumple", "residencial") for each in story.playing(part)), None
    )
    if chosen is not None:
        await _timeline(story, chosen)
    await _places(story, running, data, chosen)
    story.console.print("\nToken (7 días), para «Authorization: Bearer …»:")
    story.console.print(token, soft_wrap=True)
    story.console.print(
        f"\n[bold green]Listo en {time.monotonic() - story.began:.0f} s.[/] El sistema sigue en [bold]{running.address}[/];"
        " `make down` lo detiene.",
        soft_wrap=True,
    )


async def _figures(story: Story) -> None:
    manager = story.people.with_permission("collections.portfolios", desk="gerente_cobros")
    table = Table("qué", "cuántos", header_style="bold")
    table.columns[1].justify = "right"
    for name, count in story.figures.items():
        table.add_row(name, f"{count:,}")
    for each in await _by_status(story, manager):
        table.add_row(*each)
    story.console.print(table)


async def _by_status(story: Story, manager: str) -> list[tuple[str, str]]:
    counts: dict[tuple[str, str], int] = {}
    for portfolio in await story.people.get(manager, "/collections/portfolios"):
        policy = story.operator.policy(portfolio["policy"])
        labels = dict(policy.statuses)
        for status, count in portfolio["by_status"].items():
            key = (policy.name, str(labels.get(status, status)))
            counts[key] = counts.get(key, 0) + count
    return [(f"{policy}: {label}", f"{count:,}") for (policy, label), count in sorted(counts.items())]


async def _timeline(story: Story, party: Party) -> None:
    story.title(f"{party.name} ({party.external_id}), paso a paso")
    agent = party.agent or story.people.with_permission("collections.read", desk="cobros")
    async for entry in story.people.every(agent, f"/collections/customers/{party.id}/timeline"):
        at = datetime.fromisoformat(entry["at"]).astimezone(story.operator.zone)
        rule = f" [dim]({escape(entry['rule']['id'])})[/]" if entry.get("rule") else ""
        who = f" [dim]{escape(entry['who_name'])}[/]" if entry.get("who_name") else ""
        story.console.print(f"  {at:%d/%m %H:%M} {escape(entry['text'])}{who}{rule}", soft_wrap=True)
    found = await story.people.get(agent, f"/collections/customers/{party.id}/explanation")
    status = found["status"]
    story.console.print(f"  [bold]Hoy: {escape(status['label'])}[/]: {escape(str(status.get('reason', '')))}", soft_wrap=True)


async def _places(story: Story, running: Running, data: Path, party: Party | None) -> None:
    places = [("Rutas", f"{running.address}/collections/docs (y /billing /ticketing /noc /notifier)")]
    if party is not None:
        places.append(("Un cliente explicado", f"GET {running.address}/collections/customers/{party.id}/explanation"))
        reader = story.people.with_permission("ticketing.network", desk="ingenieria")
        tickets = (await story.people.get(reader, "/ticketing/tickets", customer_id=party.id))["items"]
        if tickets:
            places.append(("Su ticket, dibujado", f"GET {running.address}/ticketing/tickets/{tickets[0]['id']}/diagram"))
        places.append(("Una factura en PDF", str(await _save_invoice(story, party, data))))
    places.append(("Correos (Maildir)", str(data / "correo")))
    places.append(("Registro del servidor", str(data / LOG)))
    places.append(("Mover el reloj", f"POST {running.address}/simulation/clock"))
    places.append(("Token de otra persona", f"reconecta token PERSONA --data {data}"))
    story.console.print("\n[bold]Dónde mirar[/]")
    for name, place in places:
        story.console.print(f"  {name:<22} {escape(place)}", soft_wrap=True)


async def _save_invoice(story: Story, party: Party, data: Path) -> Path:
    reader = story.people.with_permission("billing.invoices")
    content = await story.people.content(reader, f"/billing/invoices/{party.invoice_id}/pdf")
    path = data / f"factura-{party.number}.pdf"
    path.write_bytes(content)
    return path
