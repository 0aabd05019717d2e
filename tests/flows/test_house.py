"""The house itself: five services on one address, time that passes for all of them together."""

from tests.support.house import TestHouse


async def test_the_front_door_says_where_to_look(courier_house: TestHouse) -> None:
    page = await courier_house.as_("admin").get("/")
    assert page.status_code == 200
    for name in ("billing", "collections", "ticketing", "noc", "notifier"):
        assert f"/{name}/docs" in page.text
        assert (await courier_house.as_("admin").get(f"/{name}/openapi.json")).json()["openapi"].startswith("3.1")
        assert (await courier_house.as_("admin").get(f"/{name}/health/ready")).json() == {"status": "ok"}


async def test_time_passes_for_all_services_together(house: TestHouse) -> None:
    await house.until("2026-03-03T09:00")
    clock = await house.get("/simulation/clock")
    assert clock["now"] == "2026-03-03T15:00:00Z"
    for runtime in house.house.runtimes.values():
        assert await runtime.clock.now() == house.instant("2026-03-03T09:00")


async def test_only_systems_people_move_the_clock_and_never_back(courier_house: TestHouse) -> None:
    move = {"advance_to": "2026-03-02T00:00:00-06:00"}
    assert (await courier_house.as_("ana.martinez").post("/simulation/clock", json=move)).status_code == 403
    assert (await courier_house.as_("admin").post("/simulation/clock", json=move)).status_code == 200
    back = await courier_house.as_("admin").post("/simulation/clock", json={"advance_to": "2026-03-01T00:00:00-06:00"})
    assert back.status_code == 422
    naive = await courier_house.as_("admin").post("/simulation/clock", json={"advance_to": "2026-03-05T00:00:00"})
    assert naive.json()["errors"][0]["field"] == "advance_to"
