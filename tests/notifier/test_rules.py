"""Notifier's pure rules: outcomes, recipients, words, headers."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.adapters.smtp import SmtpCarrier
from services.notifier.rules.mime import BOUNDARY, Attachment, Mail, Picture, compose, message_id
from services.notifier.rules.recipients import Recipient, reference_of
from services.notifier.rules.rendering import one_line
from services.notifier.rules.states import DELAYS, DeliveryState, Kind, MessageState, Outcome, message_state, verdict
from tests.notifier.samples import golden

NOW = datetime(2026, 3, 28, 14, 0, tzinfo=UTC)


@given(kind=st.sampled_from(Kind), attempts=st.integers(1, len(DELAYS) + 3))
def test_a_try_ends_well_or_is_repeated_or_a_person_is_told(kind: Kind, attempts: int) -> None:
    found = verdict(Outcome(kind), attempts, NOW)
    assert (found.state is DeliveryState.ACCEPTED) + (found.next_attempt_at is not None) + found.helpless == 1
    assert found.next_attempt_at is None or found.next_attempt_at > NOW
    assert (kind is Kind.UNKNOWN) == (found.state is DeliveryState.UNKNOWN), "an unknown outcome is never called a failure"


@given(st.lists(st.tuples(st.sampled_from(DeliveryState), st.booleans()), min_size=1, max_size=6))
def test_a_message_is_accepted_only_when_every_delivery_is(deliveries: list[tuple[DeliveryState, bool]]) -> None:
    found = message_state(deliveries)
    assert (found is MessageState.ACCEPTED) == all(state is DeliveryState.ACCEPTED for state, _ in deliveries)
    if DeliveryState.QUEUED in {state for state, _ in deliveries}:
        assert found is MessageState.QUEUED


def test_what_a_message_refers_to_is_what_its_sender_knows_it_by() -> None:
    asked = golden("collections.suspension_notice_requested.v1")
    assert reference_of(asked) == str(asked.notice_id)
    closed = golden("ticketing.ticket_closed.v1")
    assert reference_of(closed) == str(closed.ticket_id)
    sent = golden("collections.invoice_dispatch_requested.v1")
    assert reference_of(sent) == str(sent.invoice_id)
    assert reference_of(golden("collections.reminder_requested.v1")) is None


@given(st.text())
def test_a_subject_is_one_line_of_bounded_length(text: str) -> None:
    found = one_line(text)
    assert len(found.splitlines()) <= 1 and len(found) <= 200


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=80), subject=st.text(max_size=300))
def test_no_name_and_no_subject_adds_a_header(name: str, subject: str) -> None:
    mail = Mail(
        message_id=message_id("one", "cobros@redsula.example"),
        date=NOW,
        sender=Recipient(name, "cobros@redsula.example"),
        to=Recipient(name, "pagos@hotelmaya.example"),
        reply_to=None,
        subject=one_line(subject),
        text="Hola",
        html="<p>Hola</p>",
        notice="prueba",
        attachments=[Attachment("factura.pdf", b"%PDF")],
    )
    read = message_from_bytes(compose(mail).as_bytes(), policy=SMTP)
    assert sorted(read.keys()) == sorted(
        ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "X-Reconecta-Notice", "MIME-Version", "Content-Type"]
    )
    assert [each.addr_spec for each in read["To"].addresses] == ["pagos@hotelmaya.example"]


def test_no_text_looks_like_the_end_of_a_part() -> None:
    """The boundaries are known to everybody who has got a mail."""
    one = Recipient("Cobros", "cobros@redsula.example")
    names = "alternative", "related", "mixed"
    evil = "".join(f"\n--{BOUNDARY}{each}\n--{BOUNDARY}{each}--\nContent-Type: text/html\n\n<p>otra</p>\n" for each in names)
    files, pictures = [Attachment("a.pdf", evil.encode())], [Picture("logo", evil.encode())]
    page = f'<img src="cid:logo">{evil}'
    mail = Mail("<1@redsula.example>", NOW, one, one, None, "Aviso", evil, page, "prueba", attachments=files, pictures=pictures)
    read = message_from_bytes(compose(mail).as_bytes(), policy=SMTP)
    leaves = [each for each in read.walk() if not each.is_multipart()]
    assert [each.get_content_type() for each in leaves] == ["text/plain", "text/html", "image/png", "application/pdf"]
    assert leaves[0].get_content().strip().splitlines() == evil.strip().splitlines()
    assert [each.get_content() for each in leaves[2:]] == [evil.encode()] * 2


@pytest.mark.parametrize("name", ["Hotel Copantl (cliente C-1)", "Hotel Copán, S.A. de C.V. (cliente C-20001)"])
@pytest.mark.parametrize("words", ["Se retira el servicio: {}, ticket n.º 5", "DX de {}: contrato y saldos, ticket n.º 1", "Aviso: {}"])
def test_a_subject_is_read_as_it_was_written(name: str, words: str) -> None:
    """Also where the library breaks the line before a word with an accent."""
    one = Recipient("Cobros y Créditos", "cobros@redsula.example")
    mail = Mail("<1@redsula.example>", NOW, one, one, None, words.format(name), text="Hola", html="<p>Hola</p>", notice="prueba")
    assert str(message_from_bytes(compose(mail).as_bytes(), policy=SMTP)["Subject"]) == words.format(name)


def test_the_address_of_a_mail_server_is_an_url() -> None:
    found = SmtpCarrier.from_url("smtp://us%40er:p%3Aw@mail.example:587?starttls=always&timeout=5")
    assert (found.host, found.port, found.username, found.password) == ("mail.example", 587, "us@er", "p:w")
    assert (found.tls, found.starttls, found.seconds) == (False, True, 5.0)
    assert SmtpCarrier.from_url("smtps://mail.example").port == 465
