"""Files over HTTP: streamed to disk, queued once, reported."""

import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.db import Database
from tests.billing.books import MAPPING, Book, line
from tests.billing.conftest import serving
from tests.billing.test_api_customers import fields
from tests.support.service import Served


def stored(folder: Path) -> list[Path]:
    """What lies in the data folder."""
    return sorted((folder / "imports").glob("*"))


async def upload(billing: Served, content: bytes, mapping: str | None = MAPPING, person: str = "admin", **options: Any) -> httpx.Response:
    """Send a file with its mapping."""
    parts: dict[str, Any] = {"file": ("clientes.csv", content, "text/csv")}
    if mapping is not None:
        parts["mapping"] = (None, mapping)
    return await billing.as_(person).post("/imports", files={**parts, **options.pop("more", {})}, **options)


async def test_a_file_is_taken_and_its_report_follows(billing: Served, book: Book, tmp_path: Path) -> None:
    rows = [line(id="C-1"), line(id="C-2", precio="sesenta"), line(id="C-3", correo="nada", contacto="Ana"), line(id="C-1")]
    answer = await upload(billing, book.rows(rows).read_bytes())
    assert (answer.status_code, answer.json()["state"]) == (202, "QUEUED"), answer.text
    path = answer.headers["location"].removeprefix("/billing")
    await billing.work()
    client = billing.as_("ines.reyes")
    report = (await client.get(path)).json()
    counters = ("state", "rows_read", "rows_new", "rows_bad", "notices", "file_name", "requested_by")
    assert [report[name] for name in counters] == ["DONE", 4, 2, 2, 1, "clientes.csv", "admin"]
    first = (await client.get(f"{path}/faults", params={"limit": 2})).json()
    rest = (await client.get(f"{path}/faults", params={"limit": 2, "cursor": first["next"]})).json()
    found = [(each["line"], each["column"], each["value"], each["severity"]) for each in first["items"] + rest["items"]]
    assert found == [(3, "precio", "sesenta", "ERROR"), (4, "correo", "nada", "NOTICE"), (5, "(identificador)", "C-1", "ERROR")]
    assert all(each["reason"] and each["remedy"] for each in first["items"])
    assert rest["next"] is None
    assert len(stored(tmp_path)) == 1
    again = await upload(billing, book.rows([line(id="C-1")]).read_bytes())
    await billing.work()
    missing = (await client.get(f"{again.headers['location'].removeprefix('/billing')}/missing")).json()["items"]
    assert [each["external_id"] for each in missing] == ["C-3"]
    assert [each["rows_missing"] for each in (await client.get("/imports")).json()["items"]] == [1, 0]


async def test_the_same_upload_twice_is_one_import_and_one_file(billing: Served, book: Book, tmp_path: Path) -> None:
    content = book.rows([line(id="C-1")]).read_bytes()
    headers = {"idempotency-key": "libro-de-marzo"}
    first = await upload(billing, content, headers=headers)
    second = await upload(billing, content, headers=headers)
    assert (second.status_code, second.json(), second.headers["idempotency-replayed"]) == (202, first.json(), "true")
    other = await upload(billing, content + b"\n", headers=headers)
    assert (other.status_code, fields(other)) == (422, ["Idempotency-Key"])
    assert len(await billing.sql("SELECT id FROM import_batch")) == len(stored(tmp_path)) == 1


async def test_a_full_disk_is_told_as_one_and_the_same_upload_goes_through_later(billing: Served, book: Book, tmp_path: Path) -> None:
    content, headers = book.rows([line(id=f"C-{n}") for n in range(100)]).read_bytes(), {"idempotency-key": "libro-de-abril"}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # of this process's files none may grow larger: as a full disk refuses
    try:
        refused = await upload(billing, content, headers=headers)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.status_code == 503 and "disco" in refused.json()["detail"] and "Idempotency-Key" in refused.json()["remedy"]
    assert stored(tmp_path) == []
    assert (await upload(billing, content, headers=headers)).status_code == 202


async def test_one_of_the_operators_own_mappings_by_its_name(billing: Served) -> None:
    content = Path("deploy/operators/vip_isp/books/clientes.csv").read_bytes()
    answer = await upload(billing, content, "clientes")
    assert answer.status_code == 202, answer.text
    await billing.work()
    report = (await billing.as_("admin").get(answer.headers["location"].removeprefix("/billing"))).json()
    assert (report["state"], report["source"]) == ("DONE", "crm")
    assert report["rows_new"] > 250


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        (None, ["mapping"]),
        ("", ["mapping"]),
        ("source: crm\ncustomer: {external_id: id}\n", ["mapping:2: customer.name"]),
        ("nada", ["mapping:1"]),
        (MAPPING.replace("plan: plan2", "plan: {constant: hogar_5}"), ["mapping:16: services.1.plan.constant"]),
    ],
)
async def test_a_mapping_with_a_mistake_is_refused_at_once(
    billing: Served, book: Book, tmp_path: Path, mapping: str | None, named: list[str]
) -> None:
    answer = await upload(billing, book.rows([line(id="C-1")]).read_bytes(), mapping)
    assert (answer.status_code, fields(answer)) == (422, named)
    assert stored(tmp_path) == []


async def test_bodies_that_are_no_upload(billing: Served, tmp_path: Path) -> None:
    client = billing.as_("admin")
    boundary = {"content-type": "multipart/form-data; boundary=x"}
    for headers, body in (
        ({"content-type": "application/json"}, b"{}"),
        ({"content-type": "multipart/form-data"}, b"x"),
        (boundary, b"nada"),
        (boundary, b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nid,nombre\r\n'),
        (boundary, b'--x\r\nContent-Disposition: form-data; name="mapping"\r\n\r\nclientes\r\n--x--\r\n'),
    ):
        answer = await client.post("/imports", content=body, headers=headers)
        assert answer.status_code == 422, (body, answer.text)
    extra = await upload(billing, b"id\n", more={"modo": (None, "rápido")})
    assert (extra.status_code, fields(extra)) == (422, ["modo"])
    big = await upload(billing, b"id\n", "x" * 300_000)
    assert big.status_code == 413
    assert stored(tmp_path) == []
    assert (await upload(billing, b"id\n", person="ana.martinez")).status_code == 403
    assert (await client.get(f"/imports/{uuid4()}")).status_code == 404
    assert (await client.get(f"/imports/{uuid4()}/faults")).status_code == 404


async def test_a_file_beyond_the_limit_is_refused_and_leaves_nothing(
    database: Callable[[str], Awaitable[Database]], tmp_path: Path
) -> None:
    async with serving(await database("billing"), tmp_path, upload_limit=1_000_000) as billing:
        answer = await upload(billing, b"x" * 1_000_001)
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (413, "demasiado-grande")
        assert stored(tmp_path) == []
        assert (await upload(billing, b"id,nombre\n" + b"y" * 900_000, "clientes")).status_code == 202


async def test_a_part_split_anywhere_arrives_whole(billing: Served, tmp_path: Path) -> None:
    content = b"id,nombre\r\nC-1,Ana --x\r\nC-2,\xc3\x91and\xc3\xba\r\n"
    mapping = b"source: crm\ncustomer: {external_id: id, name: nombre}\n"
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="C:\\libros\\a.csv"\r\nContent-Type: text/csv\r\n\r\n' + content
    body += b'\r\n--x\r\nContent-Disposition: form-data; name="mapping"\r\n\r\n' + mapping + b"\r\n--x--\r\n"

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    for size in (1, 7, 64, 10_000):
        headers = {"content-type": "multipart/form-data; boundary=x"}
        answer = await billing.as_("admin").post("/imports", content=pieces(size), headers=headers)
        assert (answer.status_code, answer.json()["file_name"]) == (202, "a.csv"), answer.text
    assert [each.read_bytes() for each in stored(tmp_path)] == [content] * 4
