"""What people and systems put into names stays text: in mails, their headers and envelopes, on paper, in the names of files."""

import ast
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import example, given
from hypothesis import strategies as st

from services.notifier.adapters.smtp import SmtpCarrier
from services.notifier.app import SERVICE
from services.notifier.rules.mime import Attachment, Mail, compose
from services.notifier.rules.recipients import Recipient
from services.notifier.rules.rendering import one_line
from services.notifier.rules.states import Kind
from shared.db import Database
from shared.operator import Notice
from shared.web.exporting import CSV, XLSX
from tests.architecture.test_rooms import ROOT
from tests.notifier.peers import mail_server
from tests.notifier.samples import golden, occasion, tell
from tests.security.doors import Door, doors, whole_house
from tests.support.service import operator, serve

START = datetime(2026, 3, 28, 14, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script> </mj-text><mj-raw><img src=x onerror=x></mj-raw> {{ 7*7 }} {% raw %} <!-- &lt;b&gt; ]]> \" ' "
    "</style><mj-include path='/etc/passwd' />"
)
HEADERS = ["Message-ID", "Date", "From", "To", "Reply-To", "Subject", "Auto-Submitted", "X-Reconecta-Notice", "MIME-Version"]
WORST = ["\r\nBcc: x@evil.example", "a\nb", "=?utf-8?q?=0D=0ABcc:_x?=", "=??Q?=0D", '"\\', "\x00", "a" * 2000]
ANY_TEXT = st.text(max_size=120) | st.sampled_from(WORST)


class Skeleton(HTMLParser):
    """A page without its texts: every tag with the names of its attributes, every comment."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[tuple[str, ...]] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(("/", tag))

    def handle_comment(self, data: str) -> None:
        self.parts.append(("!", data))

    def handle_data(self, data: str) -> None:
        self.words += data


def skeleton(html: str) -> Skeleton:
    found = Skeleton()
    found.feed(html)
    return found


async def message_of(database: Database, notice: Notice, name: str) -> Any:
    """The message of a notice about a customer with this name, whose contact, plan and agent's words say the same."""
    customer = golden("billing.customer_registered.v1")
    contacts = [each.model_copy(update={"name": name}) for each in customer.contacts]
    policy = "residencial" if "residencial" in notice.code else "vip"
    facts = [
        customer.model_copy(update={"name": name, "contacts": contacts, "special_negotiation": name}),
        golden("collections.segment_changed.v1", policy=policy),
        golden("collections.agent_assigned.v1", agent="ana.martinez"),
        golden("billing.invoice_issued.v1"),
    ]
    event = occasion(notice)
    spoken = {field: name for field in ("reason", "detail", "comment") if isinstance(getattr(event, field, None), str)}
    async with serve(SERVICE, database, START) as served:
        await served.deliver(*facts)
        await tell(served, event.model_copy(update=spoken))
        found = await served.sql("SELECT subject, text, html FROM message WHERE notice = $1", notice.code)
    return found[0] if found else None


@pytest.mark.parametrize("code", sorted(operator().notices))
async def test_no_name_changes_the_build_of_a_mail(database: Callable[[str], Awaitable[Database]], code: str) -> None:
    notice = operator().notices[code]
    plain = await message_of(await database("notifier"), notice, "Hotel Maya Real")
    hostile = await message_of(await database("notifier"), notice, HOSTILE)
    assert plain is not None and hostile is not None
    assert skeleton(hostile.html).parts == skeleton(plain.html).parts
    assert "49" not in skeleton(hostile.html).words.replace("$", " ").split(), "a name is no template"
    if "Hotel Maya Real" in plain.html:
        assert "<script>alert(1)</script>" in skeleton(hostile.html).words, "it is there, as text"
    assert "\n" not in hostile.subject and "\r" not in hostile.subject


@given(name=ANY_TEXT, subject=ANY_TEXT, address=ANY_TEXT | st.emails(), number=ANY_TEXT, body=ANY_TEXT)
@example(name="a", subject="b", address="x@a.example\r\nBcc: y@evil.example", number="1", body="c")
@example(name="a", subject="b", address="=?utf-8?q?=0D=0ABcc:x?=@a.example", number="1", body="c")
@example(name="=?utf-8?q?=0D=0ABcc:x?=", subject="b", address="x@a.example", number="=?utf-8?q?=0D=0ABcc:x?=", body="c")
@example(name="a", subject="b", address="x@a.example", number='1"\r\nContent-Type: text/html\r\n\r\n<p>', body="\r\n.\r\nMAIL FROM:<x>")
def test_nothing_adds_a_header_or_a_part(name: str, subject: str, address: str, number: str, body: str) -> None:
    mail = Mail(
        message_id="<one@redsula.example>",
        date=START,
        sender=Recipient(name, "cobros@redsula.example"),
        to=Recipient(name, address),
        reply_to=Recipient(name, "ana@redsula.example"),
        subject=one_line(subject),
        text=body,
        html="<p>x</p>",
        notice="prueba",
        attachments=[Attachment(f"factura-{number}.pdf", b"%PDF")],
    )
    try:
        written = compose(mail).as_bytes()
    except ValueError:
        return  # nothing is sent
    read = BytesParser(_class=EmailMessage, policy=SMTP).parsebytes(written)
    assert sorted(read.keys()) == sorted([*HEADERS, "Content-Type"])
    assert [part.get_content_type() for part in read.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf",
    ]  # fmt: skip
    assert len(read["To"].addresses) == 1


@pytest.mark.parametrize(
    "address",
    [
        "x@a.example\r\nRCPT TO:<y@evil.example>",
        "x@a.example> NOTIFY=NEVER\r\nDATA",
        "x@a.example>\nRCPT TO:<y@evil.example",
        "x@a.example, y@evil.example",
        "<x@a.example>",
        "x@a.example y@evil.example",
        "x\x00@a.example",
    ],
)
async def test_no_address_speaks_to_the_mail_server(address: str) -> None:
    mail = EmailMessage(policy=SMTP)
    mail.set_content("hola")
    async with mail_server() as peer, SmtpCarrier.from_url(peer.url).open() as line:
        outcome = await line.send(mail, sender="cobros@redsula.example", recipient=address)
    assert set(peer.recipients) <= {"x@a.example"}, peer.recipients
    assert outcome.kind in {Kind.ACCEPTED, Kind.PERMANENT, Kind.TEMPORARY}


async def test_a_text_of_dots_ends_no_mail() -> None:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = "x"
    mail.set_content("uno\r\n.\r\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<y@evil.example>\r\nDATA\r\ndos\r\n")
    async with mail_server() as peer, SmtpCarrier.from_url(peer.url).open() as line:
        await line.send(mail, sender="cobros@redsula.example", recipient="x@a.example")
    assert (len(peer.taken), peer.recipients) == (1, ["x@a.example"])
    assert "dos" in peer.taken[0].get_content()


def test_tables_for_spreadsheets_are_written_in_one_place() -> None:
    """Cells that begin with = + - @ are formulas there: whatever leaves the house goes through shared/web/sheets.py (test_exports.py)."""
    writers = []
    for room in ("services", "shared"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in {"csv.writer", "csv.DictWriter", "writer", "DictWriter"}:
                    writers.append(str(path.relative_to(ROOT)))
    assert writers == ["services/demo/bank.py", "shared/web/sheets.py"], "the demo plays the bank: its file goes in, not out"


@pytest.fixture
async def house(databases: dict[str, str]) -> Any:
    async with whole_house(databases, START) as app:
        yield app


async def test_webhooks_alone_take_an_address_to_call(house: FastAPI) -> None:
    """Nothing that comes in is an address that we would then call, but a subscriber's, which is never one of a private network
    (tests/notifier/test_webhooks.py)."""
    kinds, fields = set(), set()
    for door in doors(house):
        for answer in (door.operation or {}).get("responses", {}).values():
            kinds |= set(answer.get("content", {}))
        for content in (door.operation or {}).get("requestBody", {}).get("content", {}).values():
            fields |= _fields(content["schema"], door.schemas or {}, set())
        fields |= {f"{each['name']}:{each['schema'].get('format', '')}" for each in (door.operation or {}).get("parameters", [])}
    files = {"application/octet-stream", "application/pdf", "image/svg+xml", "message/rfc822", CSV, XLSX}
    assert kinds <= {"application/json", "application/problem+json", "text/plain", "text/event-stream"} | files
    names = ("url", "uri", "href", "webhook", "callback", "host")
    assert [each for each in sorted(fields) if any(part in each.lower() for part in names)] == ["url:", "webhook_id:uuid"]
    assert {each.path for each in doors(house) if "url:" in _taken(each)} == {"/notifier/webhooks", "/notifier/webhooks/{webhook_id}"}


def _taken(door: Door) -> set[str]:
    """The fields of what is sent to a door."""
    found: set[str] = set()
    for content in (door.operation or {}).get("requestBody", {}).get("content", {}).values():
        found |= _fields(content["schema"], door.schemas or {}, set())
    return found


def _fields(schema: dict[str, Any], schemas: dict[str, Any], seen: set[str]) -> set[str]:
    found = set()
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return set() if name in seen else _fields(schemas[name], schemas, seen | {name})
    for name, each in schema.get("properties", {}).items():
        found |= {f"{name}:{each.get('format', '')}"} | _fields(each, schemas, seen)
    for each in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        found |= _fields(each, schemas, seen)
    return found
