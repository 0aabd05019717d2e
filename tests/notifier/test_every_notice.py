"""Every notice of the shipped operator, made of the golden event of its type: whoever gets it knows how much, until when, what to do and
whom to answer, in Spanish, and sees nothing that was meant for a program."""

import html
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from services.notifier.app import SERVICE
from shared.db import Database
from shared.events import Event
from shared.operator import words
from tests.notifier.samples import background, golden, occasion, tell
from tests.support.service import operator, serve

START = datetime(2026, 3, 28, 14, 0, tzinfo=UTC)
OpenDatabase = Callable[[str], Awaitable[Database]]
CODES = sorted(operator().notices)
MONEY = re.compile(r"\$[\d,]+\.\d\d")
DAY = re.compile(r"\b\d{1,2} de (?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre) de \d{4}")
# What only programs say: half a template, codes with underscores, dates for sorting, values of other languages, floats.
FOR_PROGRAMS = re.compile(
    r"\{\{|\}\}|\{%|<[a-z/]|\bNone\b|\bnull\b|\bTrue\b|\bFalse\b|[Uu]ndefined|\b[a-z]+_[a-z_]+\b|\b\d{4}-\d\d-\d\d\b|\d\.\d{4}\b|\[\]|\(\)"
)
ENGLISH = re.compile(
    r"\b(the|and|of|your|with|from|please|payment|invoice|customer|service|due|owed|suspended|reconnected|cancelled|refused|accepted|rejected|"
    r"own|third|party|late|reconnection|unknown|done|bank|returned|overdue|agent|notice|amount)\b",
    re.IGNORECASE,
)
WAYS_TO_DO = ("Qué hacer", "¿Ya pagó?", "¿No le funciona?")
LONGEST_WORDS, LONGEST_SUBJECT, LARGEST_PAGE = 140, 120, 100_000


def seen(page: str) -> str:
    """What a person sees of a page of HTML."""
    body = re.sub(r"(?s)<(style|head|script)\b.*?</\1>|<!--.*?-->", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def own(text: str) -> str:
    """A plain mail without what all mails end with."""
    return text.partition("\n--\n")[0]


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[Event, Any]]:
    """Notices already made, so that each is asked for once."""
    return {}


async def message_of(database: OpenDatabase, code: str, made: dict[str, tuple[Event, Any]]) -> tuple[Event, Any]:
    """The event and the message of one notice; the first who asks makes them all."""
    if not made:
        for policy in ("vip", "residencial"):
            async with serve(SERVICE, await database("notifier"), START) as served:
                await served.deliver(*background(policy))
                for each in CODES:
                    if (policy == "residencial") == ("residencial" in each):
                        event = occasion(operator().notices[each])
                        await tell(served, event)
                        found = await served.sql("SELECT subject, text, html FROM message WHERE notice = $1 ORDER BY id LIMIT 1", each)
                        assert found, f"{each}: {[tuple(row) for row in await served.sql('SELECT type, detail FROM parked_event')]}"
                        made[each] = event, found[0]
    return made[code]


@pytest.mark.parametrize("code", CODES)
async def test_a_notice_says_what_people_need_and_nothing_else(
    database: OpenDatabase, made: dict[str, tuple[Event, Any]], code: str
) -> None:
    event, message = await message_of(database, code, made)
    text, page = own(message.text), seen(message.html)
    for said in (message.subject, text, page):
        assert not (found := FOR_PROGRAMS.search(said)), found
        assert not (found := ENGLISH.search(said)), found
    assert DAY.search(text) and DAY.search(page), "the day in words"
    assert any(each in text for each in WAYS_TO_DO) and any(each in page for each in WAYS_TO_DO)
    reader = "lo lee una persona: Ana Martínez" if "customer_id" in type(event).model_fields else "lo lee una persona."
    assert reader in page and reader in " ".join(message.text.split())
    for amount in amounts(event):
        assert amount in text and amount in page, f"{amount} is not said"
    assert set(MONEY.findall(text)) == set(MONEY.findall(page)), "both forms say the same amounts"
    spoken = re.sub(r"(?m)^[A-Z]+-\d+: .*$", "", text)  # the rules that it follows from are quoted below what it says itself
    assert len(spoken.split()) <= LONGEST_WORDS and 10 <= len(message.subject) <= LONGEST_SUBJECT
    assert len(message.html) < LARGEST_PAGE and not re.search(r'src="(?!cid:)|url\(', message.html), "nothing is fetched from elsewhere"


def amounts(event: Event) -> list[str]:
    """The amount that the event is about, as people read it."""
    value = getattr(event, "amount", None) or getattr(event, "monthly_amount", None)
    currency = getattr(event, "currency", operator().currency)
    return [words.money(operator(), value, currency)] if isinstance(value, Decimal) else []


@pytest.mark.parametrize("code", [each for each in CODES if operator().notices[each].to.customer])
def test_a_notice_to_a_customer_names_it_first(code: str) -> None:
    folder = operator().folder / "templates"
    for ending in ("txt.j2", "mjml.j2"):
        assert "{{ customer.name }}:" in (folder / f"{operator().notices[code].template}.{ending}").read_text()


@pytest.mark.parametrize("code", CODES)
async def test_a_notice_can_be_written_when_little_is_known(database: OpenDatabase, code: str, bare: dict[str, Any]) -> None:
    """No agent, nothing open, a person whom nobody knows: no empty place, no error."""
    if not bare:
        people = [each for each in background() if each.TYPE != "collections.agent_assigned.v1"]
        async with serve(SERVICE, await database("notifier"), START) as served:
            await served.deliver(*people, golden("billing.customer_changed.v1", assigned_agent=None), golden("billing.invoice_paid.v1"))
            for each in CODES:
                await tell(served, occasion(operator().notices[each], **strangers(each)))
            for row in await served.sql("SELECT notice, text, html FROM message"):
                bare[row.notice] = row
            assert await served.sql("SELECT detail FROM parked_event") == []
    found = bare[code]
    assert not FOR_PROGRAMS.search(own(found.text)) and not FOR_PROGRAMS.search(seen(found.html))
    assert "lo lee una persona." in seen(found.html)


@pytest.fixture(scope="module")
def bare() -> dict[str, Any]:
    return {}


def strangers(code: str) -> dict[str, Any]:
    """People whom operator.yaml does not know."""
    from shared.events import CATALOGUE

    fields = CATALOGUE[operator().notices[code].on].model_fields
    return {name: "forastero" for name in ("requested_by", "resolved_by", "opened_by", "agreed_by") if name in fields}


@cache
def logo() -> Path:
    name = operator().brand.logo
    assert name is not None
    return operator().folder / "templates" / name


def test_the_logo_is_small_enough_to_travel_with_every_mail() -> None:
    assert logo().read_bytes().startswith(b"\x89PNG") and logo().stat().st_size < 20_000
