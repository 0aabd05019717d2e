"""The manager's figures: what each counts, said with it and with its instant; counted when asked for and every night after that."""

from datetime import timedelta
from typing import Any

from shared.web.exporting import CSV
from tests.collections.api_scene import OpenDatabase, Scene, local, scene
from tests.support.rules import rule

MANAGER = "marta.zelaya"


async def figure(told: Scene, name: str, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = await told.get(f"/figures/{name}{query}", MANAGER)
    assert found["definition"] and found["as_of"]
    return found


async def counted(told: Scene) -> None:
    answer = await told.served.as_(MANAGER).post("/figures")
    assert answer.status_code == 202, answer.text
    await told.served.work()


@rule("VIP-31")
async def test_collected_against_billed_and_ageing_by_agent_and_policy(database: OpenDatabase) -> None:
    async with scene(database) as told:
        assert (await told.served.as_(MANAGER).get("/figures/ageing")).status_code == 404
        one, other = await told.vip("C-1"), await told.vip("C-2", assigned_agent="luis.pineda")
        await told.invoice(one, "460.00")
        await told.invoice(one, "100.00", "2026-02")
        await told.invoice(other, "500.00")
        paid = await told.reported(one, "400.00", "60.00")
        await told.confirmed(one, paid, "400.00")
        await told.served.at(local("2026-03-20 09:00"))
        await counted(told)
        found = await figure(told, "collected", "?period=2026-03")
        rows = {
            each["agent"]: (each["billed"]["amount"], each["collected"]["amount"], each["collected_percent"]) for each in found["items"]
        }
        assert rows == {"ana.martinez": ("460.00", "400.00", "87.0"), "luis.pineda": ("500.00", "0.00", "0.0")}
        assert found["as_of"] == "2026-03-20T15:00:00Z"
        ageing = (await figure(told, "ageing", "?agent=ana.martinez"))["items"]
        assert [(each["bucket"], each["invoices"], each["amount"]["amount"]) for each in ageing] == [
            ("1-30", 1, "60.00"),
            ("31-60", 1, "100.00"),
        ]


async def test_they_are_counted_again_every_night_once_somebody_wanted_them(database: OpenDatabase) -> None:
    async with scene(database) as told:
        await told.served.at(local("2026-03-20 09:00"))
        await counted(told)
        before = (await figure(told, "promises"))["as_of"]
        await told.served.at(local("2026-03-21 04:59"))
        assert (await figure(told, "promises"))["as_of"] == before
        await told.served.at(local("2026-03-21 05:00") + timedelta(seconds=1))
        assert (await figure(told, "promises"))["as_of"] > before


async def test_figures_are_the_managers_and_can_be_exported(database: OpenDatabase) -> None:
    async with scene(database) as told:
        await told.invoice(await told.vip(), "460.00")
        await counted(told)
        assert (await told.served.as_("ana.martinez").get("/figures/collected")).status_code == 403
        table = await told.served.as_(MANAGER).get("/figures/collected", headers={"accept": CSV})
        assert table.text.removeprefix("\ufeff").splitlines()[0].split(",")[:3] == ["Gestor (usuario)", "Gestor", "Política (código)"]
        assert ",460.00,USD," in table.text


async def test_two_of_them_are_drawn(database: OpenDatabase) -> None:
    async with scene(database) as told:
        await told.invoice(await told.vip(), "460.00")
        await counted(told)
        for name, words in (("collected", "Cobrado (oscuro) contra facturado (claro)"), ("ageing", "Antigüedad de la deuda")):
            answer = await told.served.as_(MANAGER).get(f"/figures/{name}.svg")
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
            assert words in answer.text
        assert (await told.served.as_("ana.martinez").get("/figures/ageing.svg")).status_code == 403
