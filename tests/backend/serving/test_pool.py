"""One reference a project: swapped whole, bounded in bytes, never lost to a version that cannot be loaded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from backend.errors import StoreError
from backend.labelstudio.config import parse_config
from backend.serving import pool as pool_module
from backend.serving.families import Families
from backend.serving.pool import LoadedVersion, Pool
from backend.store.versions import Versions
from model_zoo.types import ClassificationOutput, Item
from tests.backend.serving.conftest import UID, Shelf

CONFIG = parse_config(
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="billing"/><Choice value="other"/></Choices></View>'
)
HEAD_BYTES = 4 * (2 * 384 + 2 + 2)
FEATURES = np.ones(384, np.float32)


def answer(version: LoadedVersion, control: str = "topic") -> list[float]:
    """What the version's model says of one fixed item."""
    (output,) = version.controls[control].model.predict([Item(features=FEATURES)])
    assert isinstance(output, ClassificationOutput)
    return output.probabilities.tolist()


def check_pointer_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "POINTER_CHECK", 0.0)


def test_a_version_is_loaded_once_and_on_first_use(shelf: Shelf) -> None:
    shelf.publish("v1")
    loads: list[str] = []
    pool = shelf.pool(loads=loads)
    assert (pool.name(UID), loads, pool.nbytes) == ("v1", [], 0)
    first = pool.get(UID, CONFIG)
    assert (first.name, pool.get(UID, CONFIG) is first, len(loads)) == ("v1", True, 1)
    assert pool.nbytes == HEAD_BYTES


def test_many_requests_at_once_load_it_once(shelf: Shelf) -> None:
    shelf.publish("v1")
    loads: list[str] = []
    pool = shelf.pool(loads=loads)
    together = threading.Barrier(8)

    def request(_: int) -> LoadedVersion:
        together.wait(10)
        return pool.get(UID, CONFIG)

    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(request, range(8)))
    assert len(loads) == 1
    assert all(version is versions[0] for version in versions)


def test_a_swap_leaves_requests_in_flight_on_the_old_version(shelf: Shelf) -> None:
    shelf.publish("v1")
    pool = shelf.pool()
    in_flight = pool.get(UID, CONFIG)
    before = answer(in_flight)
    shelf.publish("v2", parent="v1")
    swapped = pool.swap(UID)
    assert swapped is not None
    assert (swapped.name, pool.get(UID, CONFIG) is swapped, pool.name(UID)) == ("v2", True, "v2")
    assert (in_flight.name, answer(in_flight)) == ("v1", before)
    assert answer(swapped) != before


def test_requests_during_swaps_see_whole_versions(shelf: Shelf) -> None:
    manifests = [shelf.publish("v1")]
    pool = shelf.pool()
    pool.get(UID, CONFIG)
    done = threading.Event()

    def ask() -> set[tuple[str, str]]:
        seen = set()
        while not done.is_set():
            version = pool.get(UID, CONFIG)
            seen.add((version.name, version.controls["topic"].digest))
        return seen

    with ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(ask) for _ in range(2)]
        for number in range(2, 12):
            manifests.append(shelf.publish(f"v{number}"))
            pool.swap(UID)
        done.set()
        seen = asking[0].result(10) | asking[1].result(10)
    assert seen <= {(manifest.name, manifest.controls["topic"].artifact) for manifest in manifests}
    assert pool.name(UID) == "v11"


def test_a_swap_loads_nothing_that_nobody_asked_for(shelf: Shelf) -> None:
    shelf.publish("v1")
    loads: list[str] = []
    pool = shelf.pool(loads=loads)
    assert pool.swap(UID) is None
    assert (loads, pool.name(UID)) == ([], "v1")


def test_a_lost_announcement_costs_a_moment_only(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.publish("v1")
    pool = shelf.pool()
    pool.get(UID, CONFIG)
    shelf.publish("v2")
    check_pointer_always(monkeypatch)
    assert (pool.name(UID), pool.get(UID, CONFIG).name) == ("v2", "v2")


def test_an_earlier_version_that_is_selected_serves(shelf: Shelf) -> None:
    shelf.publish("v1")
    shelf.publish("v2", parent="v1")
    pool = shelf.pool()
    assert pool.get(UID, CONFIG).name == "v2"
    shelf.versions.select(UID, "v1")
    pool.swap(UID)
    assert pool.get(UID, CONFIG).name == "v1"


def test_unchanged_artifacts_are_not_loaded_again(shelf: Shelf) -> None:
    kept = shelf.model(1)
    shelf.publish("v1", {"topic": kept, "tone": shelf.model(2)})
    loads: list[str] = []
    pool = shelf.pool(loads=loads)
    before = pool.get(UID, CONFIG)
    shelf.publish("v2", {"topic": kept, "tone": shelf.model(3)}, parent="v1")
    after = pool.swap(UID)
    assert after is not None
    assert after.controls["topic"].model is before.controls["topic"].model
    assert after.controls["tone"].model is not before.controls["tone"].model
    assert len(loads) == 3


def test_the_least_recently_used_go_first(shelf: Shelf) -> None:
    uids = [f"{number}.1795149789" for number in (1, 2, 3)]
    for uid in uids:
        shelf.publish("v1", uid=uid)
    loads: list[str] = []
    pool = shelf.pool(budget=2 * HEAD_BYTES, loads=loads)
    for uid in (uids[0], uids[1], uids[0], uids[2]):  # the second is now the one that was not used for longest
        pool.get(uid, CONFIG)
    assert (pool.nbytes, len(loads)) == (2 * HEAD_BYTES, 3)
    pool.get(uids[0], CONFIG)
    assert len(loads) == 3
    pool.get(uids[1], CONFIG)
    assert len(loads) == 4


def test_one_version_over_the_budget_is_served_all_the_same(shelf: Shelf) -> None:
    shelf.publish("v1")
    pool = shelf.pool(budget=1)
    assert pool.get(UID, CONFIG).name == "v1"
    assert pool.nbytes == HEAD_BYTES


def test_a_version_that_cannot_be_loaded_replaces_none_that_is(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.publish("v1")
    pool = shelf.pool()
    held = pool.get(UID, CONFIG)
    shelf.damage(shelf.publish("v2", parent="v1"))
    with pytest.raises(StoreError, match=r"v2 of project .* cannot be loaded: .* is damaged"):
        pool.swap(UID)  # so that whoever announced it learns that it is not served here
    check_pointer_always(monkeypatch)
    assert pool.get(UID, CONFIG) is held
    assert pool.name(UID) == "v1"


@pytest.mark.parametrize(("damaged", "serves"), [(("v3",), "v2"), (("v3", "v2"), "v1"), ((), "v3")])
def test_a_new_process_takes_the_newest_version_that_can_be_loaded(
    shelf: Shelf, damaged: tuple[str, ...], serves: str
) -> None:
    published = {
        name: shelf.publish(name, parent=parent) for name, parent in [("v1", None), ("v2", "v1"), ("v3", "v2")]
    }
    for name in damaged:
        shelf.damage(published[name])
    pool = shelf.pool()
    assert pool.get(UID, CONFIG).name == serves
    assert pool.name(UID) == serves


def test_earlier_means_the_version_it_was_trained_after(shelf: Shelf) -> None:
    shelf.publish("v1")
    shelf.publish("v2", parent="v1")
    shelf.versions.select(UID, "v1")  # somebody found that v2 was worse
    shelf.damage(shelf.publish("v3", parent="v1"))
    assert shelf.pool().get(UID, CONFIG).name == "v1"


def test_a_damaged_manifest_falls_back_to_what_was_published_before(shelf: Shelf) -> None:
    shelf.publish("v1")
    shelf.publish("v2", parent="v1")
    (manifest,) = (name for name in shelf.store.list(f"projects/{UID}/versions") if name.endswith("v2.json"))
    shelf.store.write(manifest, b"{")
    assert shelf.pool().get(UID, CONFIG).name == "v1"


def test_nothing_that_can_be_loaded_is_said_in_a_sentence(shelf: Shelf) -> None:
    shelf.damage(shelf.publish("v1"))
    pool = shelf.pool()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"v1 of project .* Restore the store, select another version, or train"):
            pool.get(UID, CONFIG)


def test_a_restored_version_is_served_again(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.publish("v1")
    current = shelf.publish("v2", parent="v1")
    weights = shelf.weights(current.controls["topic"].artifact)
    content = weights.read_bytes()
    shelf.damage(current)
    pool = shelf.pool()
    check_pointer_always(monkeypatch)
    assert pool.get(UID, CONFIG).name == "v1"
    weights.write_bytes(content)
    assert pool.get(UID, CONFIG).name == "v1"  # not looked at again so soon
    monkeypatch.setattr(pool_module, "RETRY_REFUSED", 0.0)
    assert pool.get(UID, CONFIG).name == "v2"


def test_a_store_that_is_away_stops_nothing_that_is_loaded(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable(Versions):
        away = False

        def current_name(self, uid: str) -> str:
            if self.away:
                raise StoreError("Could not list s3://bucket: connection refused.")
            return super().current_name(uid)

    shelf.publish("v1")
    versions = Unreachable(shelf.store)
    pool = Pool(versions, shelf.artifacts, Families(), 10**9)
    held = pool.get(UID, CONFIG)
    check_pointer_always(monkeypatch)
    versions.away = True
    assert (pool.get(UID, CONFIG) is held, pool.name(UID)) == (True, "v1")
    with pytest.raises(StoreError, match="connection refused"):
        pool.get("2.1795149789", CONFIG)


def test_a_dropped_project_is_loaded_anew(shelf: Shelf) -> None:
    shelf.publish("v1")
    loads: list[str] = []
    pool = shelf.pool(loads=loads)
    pool.get(UID, CONFIG)
    pool.drop(UID)
    assert pool.nbytes == 0
    pool.get(UID, CONFIG)
    assert len(loads) == 2


def before_labels(pool: Pool, attributes: str) -> LoadedVersion:
    return pool.get(UID, parse_config(CONFIG.xml.replace('toName="text">', f'toName="text" {attributes}>')))


def test_before_the_first_version_the_names_of_the_labels_answer(shelf: Shelf) -> None:
    pool = shelf.pool()
    version = pool.get(UID, CONFIG)
    assert (version.name, set(version.controls), pool.name(UID)) == ("v0", {"topic"}, "v0")
    assert pool.get(UID, CONFIG) is version


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ('prelabel_model="nothing.v1"', "Got the model 'nothing.v1', wanted one of: "),
        ('prelabel_model="image_classification/efficientnet_lite0_linear.v1"', "wanted a family for text"),
        ('model_path="absent.pt"', "Got 'absent.pt', wanted the name of a file inside the weights folder"),
    ],
)
def test_a_control_whose_model_is_not_there_has_a_reason(shelf: Shelf, attributes: str, reason: str) -> None:
    version = before_labels(shelf.pool(), attributes)
    assert version.controls == {}
    assert reason in version.failures["topic"]
