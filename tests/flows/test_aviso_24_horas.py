"""The agent tells five desks by e-mail 24 hours before the suspension, counted from the last mail server's acceptance."""

from pathlib import Path

from tests.flows.books import vip
from tests.flows.stories import FIVE_DESKS, customers_of, told
from tests.notifier.peers import mail_server
from tests.support.house import TestHouse, open_test_house
from tests.support.rules import rule


@rule("VIP-9", "VIP-10")
async def test_the_assigned_agent_tells_and_24_hours_pass(courier_house: TestHouse) -> None:
    house = courier_house
    (hotel,) = await customers_of(house, vip("C-1", "Hotel Copantl"))

    # Nada vencido todavía: no hay de qué avisar. Vencido, avisa solo su gestor.
    await house.until("2026-03-04T09:00")
    assert (await hotel.is_refused("suspension-notices"))["rule"] == "VIP-10"
    await house.until("2026-03-27T15:00")
    assert (await hotel.is_refused("suspension-notices", {}, "carlos.rivera"))["rule"] == "VIP-9"
    await hotel.does("suspension-notices", {"reason": "Falta de pago de marzo."})
    assert told(house, "uspensión en 24 horas") == set(FIVE_DESKS)
    assert (await hotel.is_refused("suspension-notices"))["rule"] == "VIP-10"

    # El día 27 terminó, pero faltan 24 horas desde el aviso.
    await house.until("2026-03-28T14:59")
    early = await hotel.is_refused("suspensions")
    assert early["rule"] == "VIP-10"
    assert await hotel.why_not("suspend") == ("VIP-10", early["detail"])
    await house.until("2026-03-28T15:00")
    assert "suspend" in await hotel.may()
    await hotel.does("suspensions", {})
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"


@rule("VIP-10")
async def test_the_notice_of_another_month_does_not_count(courier_house: TestHouse) -> None:
    house = courier_house
    (hotel,) = await customers_of(house, vip("C-2", "Cementos del Norte"))
    await house.until("2026-03-26T09:00")
    await hotel.does("suspension-notices", {})
    await house.until("2026-03-27T10:00")
    payment = await hotel.reports_payment()
    await house.post(f"/billing/payments/{payment['id']}/confirm", {}, "ines.reyes")

    # Abril queda impago: el aviso de marzo no sirve.
    await house.until("2026-04-28T08:00")
    refused = await hotel.is_refused("suspensions")
    assert (refused["rule"], "aviso" in refused["detail"]) == ("VIP-10", True)
    await hotel.does("suspension-notices", {})
    await house.until("2026-04-29T08:00")
    await hotel.does("suspensions", {})
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"


@rule("VIP-10")
async def test_a_desk_whose_mail_server_says_later_counts_from_then(databases: dict[str, str], tmp_path: Path) -> None:
    later = "451 4.3.2 Mailbox busy"
    async with mail_server(rcpt=["250 OK"] * 4 + [later] * 2) as peer, open_test_house(databases, tmp_path, smtp_url=peer.url) as house:
        (hotel,) = await customers_of(house, vip("C-3", "Banco de Occidente"))
        await house.until("2026-03-27T09:00")
        await hotel.does("suspension-notices", {})
        assert len(peer.recipients) == 4
        assert (await hotel.account())["notice"]["accepted_at"] is None
        assert (await hotel.is_refused("suspensions"))["rule"] in ("VIP-10", "VIP-12")

        # A los 5 minutos otra vez no; a los 15 siguientes sí. Desde ahí corren las 24 horas.
        await house.until("2026-03-27T09:19")
        assert len(peer.recipients) == 4
        await house.until("2026-03-27T09:20")
        assert sorted(each.split("@")[0] for each in peer.recipients) == sorted(FIVE_DESKS)
        assert len(set(peer.message_ids)) == 5
        await house.until("2026-03-28T09:19")
        assert (await hotel.is_refused("suspensions"))["rule"] == "VIP-10"
        await house.until("2026-03-28T09:20")
        await hotel.does("suspensions", {})
        assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"


@rule("VIP-10")
async def test_a_desk_whose_mail_server_says_no_must_be_told_again(databases: dict[str, str], tmp_path: Path) -> None:
    async with (
        mail_server(rcpt=["250 OK"] * 4 + ["550 5.1.1 No such mailbox"]) as peer,
        open_test_house(databases, tmp_path, smtp_url=peer.url) as house,
    ):
        (hotel,) = await customers_of(house, vip("C-4", "Maquila San Pedro"))
        await house.until("2026-03-26T09:00")
        await hotel.does("suspension-notices", {})
        notice = (await hotel.account())["notice"]
        assert (notice["accepted_at"], "No such mailbox" in notice["failure"]) == (None, True)

        # Dos días después sigue sin poder: el aviso no llegó a todos.
        await house.until("2026-03-28T10:00")
        assert (await hotel.is_refused("suspensions"))["rule"] == "VIP-10"

        # Sistemas arregla el buzón y se reintenta la entrega: desde que la aceptan, 24 horas.
        (message,) = (await house.get("/notifier/messages", customer_id=hotel.id, notice="aviso_suspension_vip"))["items"]
        deliveries = (await house.get(f"/notifier/messages/{message['id']}"))["deliveries"]
        (failed,) = [each for each in deliveries if each["state"] == "FAILED"]
        await house.post(f"/notifier/deliveries/{failed['id']}/retry", {}, "ana.martinez")
        assert sorted(each.split("@")[0] for each in peer.recipients) == sorted(FIVE_DESKS)
        await house.until("2026-03-29T09:59")
        assert (await hotel.is_refused("suspensions"))["rule"] == "VIP-10"
        await house.until("2026-03-29T10:00")
        await hotel.does("suspensions", {})
        assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"
