"""While predictions hold all their threads, everything else is answered at once."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from backend.app import create_app
from backend.server.calls import LONG_THREADS
from backend.settings import Settings
from tests.backend.server.running import running
from tests.backend.server.stand_in import CONFIG, UID, StandInServices

BODIES: dict[str, dict[str, object]] = {
    "/setup": {"project": UID, "schema": CONFIG, "hostname": ""},
    "/webhook": {"action": "ANNOTATION_CREATED", "project": {"id": 1}},
}


@pytest.mark.parametrize("route", ["/health", "/setup", "/webhook"])
def test_a_waiting_prediction_holds_up_nothing(route: str) -> None:
    services = StandInServices()
    services.hold = threading.Event()
    with running(create_app(Settings(), services)) as address, ThreadPoolExecutor(2 * LONG_THREADS) as pool:
        waiting = [
            pool.submit(httpx.post, f"{address}/predict", json={"tasks": [{"id": 1, "data": {}}]}, timeout=20)
            for _ in range(2 * LONG_THREADS)
        ]
        try:
            while sum(call[0] == "predict" for call in services.calls) < LONG_THREADS:
                time.sleep(0.01)
            seconds = times(address, route)
        finally:
            services.hold.set()
        assert all(call.result().status_code == 200 for call in waiting)
    assert statistics.median(seconds) < 0.05


def times(address: str, route: str) -> list[float]:
    seconds = []
    with httpx.Client(base_url=address) as client:
        for _ in range(30):
            started = time.perf_counter()
            answer = client.post(route, json=BODIES[route]) if route in BODIES else client.get(route)
            seconds.append(time.perf_counter() - started)
            assert answer.status_code < 300
    return seconds
