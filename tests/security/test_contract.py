"""Schemathesis over the five OpenAPI documents, on a house with a month behind it: no server error, no status and no answer that
the document does not tell.

Stateful by what is there: in half of the calls the ids in the path are those of things that exist, found through the API. The house lives
on meanwhile (workers, events, mails); when all is asked, its invariants must hold as after any story.
"""

import asyncio
import os
import random
import traceback
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.wiring import SERVICES
from shared.db import new_id
from tests.flows.books import residential, vip
from tests.flows.stories import customers_of
from tests.support.house import TestHouse

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "4"))  # per operation and mode
WHERE = {  # where the ids of a path's parameter are listed
    "customer_id": "/billing/customers",
    "invoice_id": "/billing/invoices",
    "payment_id": "/billing/payments",
    "run_id": "/billing/billing-runs",
    "import_id": "/billing/imports",
    "list_id": "/collections/vip-lists",
    "ticket_id": "/ticketing/tickets",
    "switch_id": "/ticketing/switches",
    "code": "/ticketing/procedures",
    "outage_id": "/noc/outages",
    "message_id": "/notifier/messages",
    "webhook_id": "/notifier/webhooks",
}
REAL = 0.5
ONLY = os.environ.get("SCHEMATHESIS_ONLY", "")  # a part of an operation's label, while one is being mended
OWN = {"content-length", "authorization"}  # the client's own: who may ask is another test's question
SENT = {"method", "url", "params", "headers", "json", "data", "files"}
CLOCK = "/simulation"  # a clock that is moved at random would play centuries
LIVE = "/live"  # a stream has no end (tests/collections/test_streams.py asks for it)


async def a_month(house: TestHouse) -> None:
    """Customers, invoices, a cut, a payment, an outage, mails: something for every list."""
    first, second, _ = await customers_of(
        house, vip("V-1", "Hotel Uno"), vip("V-2", "Hotel Dos"), residential("R-1", "Ana Paz", node="SPS-NORTE-9")
    )
    await house.until("2026-03-02T08:00")
    await second.reports_payment()
    await house.post("/noc/outages", {"access_node": "SPS-NORTE-9", "description": "Fibra cortada en el Boulevard"}, person="noc.turno")
    await house.post("/collections/vip-lists", {"period": "2026-03", "rows": [{"external_id": "V-1", "note": "Negociación especial."}]})
    webhook = {"url": "https://crm.example/reconecta", "types": ["*"]}
    hook = await house.post("/notifier/webhooks", webhook, person="admin")
    await house.post(f"/notifier/webhooks/{hook['id']}/test", {}, person="admin")
    await first.is_cut_after_the_notice()
    await house.settle()


async def known_ids(house: TestHouse) -> dict[str, list[str]]:
    """The ids of what there is, by the parameter that takes them."""
    found: dict[str, list[str]] = {}
    for name, path in WHERE.items():
        listed = await house.get(path)
        items = listed["items"] if isinstance(listed, dict) else listed
        ids = [each.get("id") or each.get(name) or each.get("code") for each in items[:5]]
        assert ids and all(ids), f"{path} lists nothing for {name}: {items[:1]}"
        found[name] = ids
    steps = [each["step"] for each in (await house.get("/ticketing/tasks", desk="ingenieria"))["items"]]
    posts = (await house.get(f"/notifier/webhooks/{found['webhook_id'][0]}/deliveries"))["items"]
    found["event_id"] = [each["event_id"] for each in posts[:5]]
    return found | {"step": steps or ["confirmar"], "key": ids, "delivery_id": [str(new_id())]}


class Asker:
    """Schemathesis stands in a thread and asks through the house's own client, so that the history knows what was asked."""

    def __init__(self, service: str, client: httpx.AsyncClient, ids: dict[str, list[str]]) -> None:
        self._loop, self._client, self._ids = asyncio.get_running_loop(), client, ids
        self._base = f"http://reconecta/{service}"

    def ask_everything(self, document: dict[str, Any]) -> list[str]:
        """Blocking. Every operation of the document with generated requests; answers what was wrong, a line per operation."""
        wrong: list[str] = []
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = cast(Any, result).ok()
            if CLOCK in operation.path or operation.path.endswith(LIVE) or ONLY not in operation.label:
                continue
            for mode in GenerationMode:  # what the document allows, and what it does not
                try:
                    self._tried(operation, mode)()
                except Unsatisfiable:
                    assert mode is GenerationMode.NEGATIVE, f"nothing can be asked of {operation.label}"
                except BaseException as error:  # noqa: BLE001 - a group of failures, shown by the test
                    wrong.append(f"{operation.method.upper()} {operation.path}: {told(error)}")
        return wrong

    def _tried(self, operation: Any, mode: GenerationMode) -> Callable[[], None]:
        dice = random.Random(operation.label)

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def each(case: Case[Any]) -> None:
            parameters = case.path_parameters or {}
            for name in parameters:
                if name in self._ids and dice.random() < REAL:
                    parameters[name] = dice.choice(self._ids[name])
            case.validate_response(self._ask(case), checks=CHECKS)

        return each

    def _ask(self, case: Case[Any]) -> httpx.Response:
        asked = requests.Request(**{name: value for name, value in case.as_transport_kwargs(base_url=self._base).items() if name in SENT})
        found = asked.prepare()
        headers: Any = {name: value for name, value in found.headers.items() if name.lower() not in OWN}
        body: Any = found.body
        request = self._client.request(str(found.method), str(found.url), headers=headers, content=body)
        return asyncio.run_coroutine_threadsafe(request, self._loop).result(60)


def told(error: BaseException) -> str:
    inner = "".join(f"\n  {told(each)}" for each in getattr(error, "exceptions", ()))
    where = "".join(traceback.format_tb(error.__traceback__)[-3:])
    return f"{type(error).__name__}: {str(error)[:1500]}\n{where}{inner}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # it is the house that draws numbers, in its own thread meanwhile
async def test_every_operation_keeps_its_promise(courier_house: TestHouse) -> None:
    await a_month(courier_house)
    ids = await known_ids(courier_house)
    client = courier_house.as_("admin")
    wrong = []
    for service in SERVICES:
        document = (await client.get(f"/{service.name}/openapi.json")).json()
        found = await asyncio.to_thread(Asker(service.name, client, ids).ask_everything, document)
        wrong += [f"{service.name} {line}" for line in found]
    assert wrong == [], "\n\n".join(wrong)
