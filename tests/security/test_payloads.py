"""Whatever an event holds, its service handles it or sets it aside with a reason: the inbox goes on, and nobody else's event is kept back.

Each type that a service hears comes as its golden sample with one place spoilt, in one batch with good ones; seeded.
"""

import copy
import json
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.wiring import SERVICES
from shared.db import Database, new_id
from shared.events import Envelope
from shared.inbox import Arrival
from shared.operator import check_operator
from shared.operator.files import Mistake, read_source
from shared.service import Service
from tests.operator.conftest import copy_of_documents
from tests.support.service import OPERATOR_FOLDER, Served, serve

START = datetime(2026, 3, 28, 14, tzinfo=UTC)
GOLDEN = Path("tests/contracts/golden")
SPOILT_EACH = 10
BYSTANDER = "billing.customer_registered.v1"
JUNK: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 10**40, -(10**40), 1.5, 1e308, "", " ", "x" * 100_000, "\x00", "a\x00b", "\ud800", "ñandú", "nope",
    "NaN", "Infinity", "1E+30", "-0.00005", "99999999999999999999.0000", "ZZZ", "0001-01-01", "9999-12-31", "2026-02-30",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2026-03-28T14:00:00", "00000000-0000-0000-0000-000000000000",
    [], {}, [[]], [None], {"x": "y"}, ["x"] * 2_000,
]  # fmt: skip
RAW = [
    "",
    "null",
    "[]",
    "7",
    '"x"',
    "{",
    "{}",
    '{"customer_id": ',
    "\ufeff{}",
    "[" * 100_000,
    '{"a":' * 50_000,
    '{"customer_id": NaN}',
    "x" * 200_000,
]


DANGEROUS = [  # what YAML itself makes so
    b"",
    b"[" * 5_000,
    b"{a: " * 5_000,
    b"!!python/object/apply:os.system ['true']\n",
    b"a: &a [x, x]\n" + b"".join(b"b%d: &b%d [*a, *a, *a, *a]\n" % (n, n) for n in range(30)),
    b"".join(
        b"%s: &%s [%s]\n"
        % (b"abcdefghij"[n : n + 1], b"abcdefghij"[n : n + 1], b",".join([b"*" + b"abcdefghij"[n - 1 : n]] * 9) if n else b"x")
        for n in range(9)
    ),
    b"code: 2026-03-28\n? [a, b]\n: c\n",
    b"2026-03-28: x\n1: y\nnull: z\n",
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key and element of a document, by its path."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []:
        yield (*at, key)
        yield from places(value[key], (*at, key))


def spoilt(dice: random.Random, data: dict[str, Any]) -> str:
    """The sample with one or two places spoilt: another value, or none."""
    found = copy.deepcopy(data)
    for _ in range(dice.choice((1, 1, 2))):
        path = dice.choice(list(places(found)))
        holder = found
        for key in path[:-1]:
            holder = holder[key]
        if isinstance(holder, dict) and dice.random() < 0.15:
            del holder[path[-1]]
        else:
            holder[path[-1]] = dice.choice(JUNK)
        if not found:
            break
    return json.dumps(found)


def arrival(kind: str, data: str, key: str, sequence: int = 1) -> Arrival:
    envelope = Envelope(
        id=new_id(), type=kind, source=kind.split(".")[0], subject=f"x/{key}", sequence=sequence, key=key, time=START, data=data
    )
    return Arrival(envelope, None)


async def settle(session: Any, handled: Sequence[Arrival]) -> None:
    """There is no transport whose progress could be kept."""


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)
async def test_no_payload_stops_an_inbox(service: Service, database: Callable[[str], Awaitable[Database]]) -> None:
    opened = await database(service.name)
    async with serve(service, opened, START) as served:
        for kind in sorted(service.events.types):
            sample = json.loads((GOLDEN / f"{kind}.json").read_text())["data"]
            dice = random.Random(kind)
            bodies = [spoilt(dice, sample) for _ in range(SPOILT_EACH)] + [json.dumps(sample)] + dice.sample(RAW, 3)
            batch = [arrival(kind, body, str(new_id())) for body in bodies]
            if BYSTANDER in service.events.types:
                key = str(new_id())
                other = json.loads((GOLDEN / f"{BYSTANDER}.json").read_text())["data"] | {
                    "customer_id": key,
                    "external_id": key,
                    "services": [],
                }
                batch.insert(5, arrival(BYSTANDER, json.dumps(other), key))
            await served.inbox.handle(batch, settle)
            await every_one_has_its_end(served, kind, batch)
            kept_back = await served.sql(
                "SELECT detail FROM parked_event WHERE type = $1 AND event_id = $2", BYSTANDER, batch[5].envelope.id
            )
            assert kept_back == [] or kind == BYSTANDER, f"{kind}: a good one is kept back: {kept_back}"


async def every_one_has_its_end(served: Served, kind: str, batch: Sequence[Arrival]) -> None:
    ids = [each.envelope.id for each in batch]
    claimed = await served.sql("SELECT count(*) FROM inbox WHERE event_id = ANY($1::uuid[])", ids)
    assert claimed[0][0] == len(ids), f"{kind}: each is claimed once"
    parked = await served.sql("SELECT reason, detail, data FROM parked_event WHERE event_id = ANY($1::uuid[])", ids)
    for row in parked:
        assert row.reason in {"dead", "waiting", "behind"}
        assert row.detail or row.reason == "behind", f"{kind}: set aside without a reason"
        assert len(row.detail) < 2_000


def broken_texts(dice: random.Random, text: bytes) -> Iterator[bytes]:
    """Bytes cut, left out, thrown in."""
    for _ in range(6):
        at, length = dice.randrange(len(text)), dice.randrange(1, 40)
        yield text[:at]
        yield text[:at] + text[at + length :]
        yield (
            text[:at]
            + dice.choice([b"\xff\xfe", b"\x00", b"\t", b"{", b"]", b"&a", b"*a", b"!!", b"---\n", b"%", b'"', b"'", b"\r"])
            + text[at:]
        )


def test_no_text_in_an_operator_s_file_is_more_than_a_mistake(tmp_path: Path) -> None:
    """It is read as something, or a mistake names its line; never a traceback, never a file that fills the memory."""
    for path in sorted(each for each in OPERATOR_FOLDER.rglob("*.yaml")):
        for broken in broken_texts(random.Random(path.name), path.read_bytes()):
            is_read_or_is_a_mistake(tmp_path, path.name, broken)
    for text in DANGEROUS:  # nothing of the file is left in these: they are the same in each
        is_read_or_is_a_mistake(tmp_path, "operator.yaml", text)


def is_read_or_is_a_mistake(folder: Path, name: str, text: bytes) -> None:
    (folder / name).write_bytes(text)
    mistakes: list[Mistake] = []
    source = read_source(folder, name, mistakes)
    assert source is not None or mistakes, (name, text[:80])
    assert all(each.file == name and each.line >= 1 and each.message for each in mistakes)


@pytest.mark.slow
def test_a_file_that_repeats_itself_without_end_is_a_mistake_of_the_operator(tmp_path: Path) -> None:
    folder = copy_of_documents(tmp_path / "operator")
    for broken in DANGEROUS[1:]:
        (folder / "catalog/taxes.yaml").write_bytes(broken)
        _, mistakes = check_operator(folder)
        assert any(each.file == "catalog/taxes.yaml" for each in mistakes), broken[:80]
