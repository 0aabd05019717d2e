"""Documents: what they are by their content, stored whole, given back as they came, forgotten when nobody names them."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx
import pytest

from services.ticketing.rules.documents import media_type_of, name_of
from shared.db import new_id
from tests.support.service import Served
from tests.ticketing.support import START, Debtor, ticketing

MAIL = b"From: gerencia@hotel.example\r\nDate: Fri, 10 Apr 2026 18:40:00 -0600\r\nSubject: Baja\r\n\r\nSolicitamos la baja.\r\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"%PDF-1.4 ...", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"II*\x00....", "image/tiff"),
        (MAIL, "message/rfc822"),
        (MAIL.replace(b"\r\n", b"\n"), "message/rfc822"),
        (b"", None),
        (b"<html><script>alert(1)</script></html>", None),
        (b"From: a@b.example\r\n\r\nsin fecha", None),
        (b"From: a@b.example\r\nDate: hoy\r\n<html>\r\n\r\n", None),
        (MAIL + b"\x00", None),
        (b"MZ\x90\x00", None),
        (b"PK\x03\x04", None),
    ],
)
def test_a_document_is_what_its_content_is(content: bytes, found: str | None) -> None:
    assert media_type_of(content) == found


@pytest.mark.parametrize(
    ("given", "media_type", "kept"),
    [
        ("carta.pdf", "application/pdf", "carta.pdf"),
        ("Carta.PDF", "application/pdf", "Carta.PDF"),
        ("../../etc/passwd", "application/pdf", "passwd.pdf"),
        ("C:\\Escaneos\\carta.html", "application/pdf", "carta.html.pdf"),
        ("foto.jpeg", "image/jpeg", "foto.jpeg"),
        ("foto.png", "image/jpeg", "foto.png.jpg"),
        ("a\r\nb\x00\u202e.eml", "message/rfc822", "ab.eml"),
        ("...", "image/png", "documento.png"),
        ("a" * 300 + ".pdf", "application/pdf", "a" * 116 + ".pdf"),
    ],
)
def test_a_name_is_plain_and_ends_as_the_content_does(given: str, media_type: str, kept: str) -> None:
    assert name_of(given, media_type) == kept


async def store(served: Served, customer: Any, content: bytes, person: str = "elena.paz", **headers: str) -> httpx.Response:
    query = {"customer_id": str(customer), "name": "carta.pdf"}
    return await served.as_(person).post("/documents", params=query, content=content, headers=headers)


async def test_a_document_comes_back_as_it_was(database: Any) -> None:
    content = b"%PDF-1.7\n" + bytes(range(256)) * 5_000
    async with ticketing(await database("ticketing")) as served:
        mine = Debtor()
        await served.deliver(*mine.known())
        stored = await store(served, mine.id, content)
        assert stored.status_code == 201, stored.text
        shown = stored.json()
        assert (shown["size"], shown["sha256"]) == (len(content), sha256(content).hexdigest())
        back = await served.as_("sofia.mejia").get(f"/documents/{shown['id']}/content")
        assert back.content == content
        assert back.headers["content-type"] == "application/pdf"
        assert back.headers["content-disposition"] == "attachment; filename*=UTF-8''carta.pdf"
        assert "sandbox" in back.headers["content-security-policy"]
        for path in (f"/documents/{shown['id']}", f"/documents/{shown['id']}/content"):
            assert (await served.as_("noc.turno").get(path)).status_code == 403
            assert (await served.as_("elena.paz").get(path.replace(shown["id"], str(new_id())))).status_code == 404


async def test_what_is_no_document_is_too_large_or_nobodys_is_refused(database: Any) -> None:
    async with ticketing(await database("ticketing"), document_limit=2_000) as served:
        mine = Debtor()
        await served.deliver(*mine.known())
        assert (await store(served, mine.id, b"<html></html>")).status_code == 422
        assert (await store(served, mine.id, b"%PDF-" + b"x" * 2_000)).status_code == 413
        assert (await store(served, new_id(), b"%PDF-1.7")).status_code == 404
        assert (await store(served, mine.id, b"%PDF-1.7", "noc.turno")).status_code == 403
        assert await served.sql("SELECT 1 FROM document") == []


async def test_a_repeated_upload_is_one_document(database: Any) -> None:
    async with ticketing(await database("ticketing")) as served:
        mine = Debtor()
        await served.deliver(*mine.known())
        key = str(new_id())
        answers = [await store(served, mine.id, b"%PDF-1.7", **{"idempotency-key": key}) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert (await store(served, mine.id, b"%PDF-1.8", **{"idempotency-key": key})).status_code == 422
        assert len(await served.sql("SELECT 1 FROM document")) == 1


async def test_a_document_that_no_ticket_names_is_forgotten_and_one_that_is_named_stays(database: Any) -> None:
    async with ticketing(await database("ticketing")) as served:
        mine = Debtor()
        await served.deliver(*mine.known())
        unused, used = [(await store(served, mine.id, content)).json()["id"] for content in (b"%PDF-1.7", MAIL)]
        body = {
            "procedure": "solicitud_dx_vip",
            "customer_id": str(mine.id),
            "captured": {"recibido_el": "2026-03-27", "medio": "correo", "notificacion": used},
        }
        opened = await served.as_("elena.paz").post("/tickets", json=body)
        assert opened.status_code == 201, opened.text
        await served.at(START + timedelta(days=8))
        client = served.as_("elena.paz")
        assert (await client.get(f"/documents/{unused}")).status_code == 404
        assert await served.sql("SELECT 1 FROM document_part WHERE document_id = $1", unused) == []
        kept = (await client.get(f"/documents/{used}")).json()
        assert kept["ticket_id"] == opened.json()["id"]


async def test_a_document_of_another_customer_is_not_taken(database: Any) -> None:
    async with ticketing(await database("ticketing")) as served:
        mine, other = Debtor(), Debtor()
        await served.deliver(*mine.known(), *other.known())
        theirs = (await store(served, other.id, MAIL)).json()["id"]
        captured = {"recibido_el": "2026-03-27", "medio": "correo", "notificacion": theirs}
        body = {"procedure": "solicitud_dx_vip", "customer_id": str(mine.id), "captured": captured}
        refused = await served.as_("elena.paz").post("/tickets", json=body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "captured.notificacion"
        assert await served.sql("SELECT 1 FROM ticket") == []
