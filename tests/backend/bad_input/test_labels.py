"""Labels of any characters and length, and configs that name models there are none of."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from backend.store.objects import ObjectStore
from tests.backend.bad_input.serving import GOOD, TEXT_CONFIG, Backend, chosen, teach

pytestmark = pytest.mark.usefixtures("after")

ODD = {
    "quotes": "it's \"quoted\" & 'quoted' <again>",
    "emoji": "👩‍🚀 Ärger 中文 \u202e",
    "10,000 characters": "billing and invoices " * 476 + "1234",
    "a path": "../../etc/passwd",
    "a template": "{{ config }} ${jndi} %s",
    "a variable's look-alike": "US$ 5",
    "a null": "null",
}


def config_of(*labels: str, attributes: str = "") -> str:
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in labels)
    control = f'<Choices name="topic" toName="text" {attributes}>{choices}</Choices>'
    return f'<View><Text name="text" value="$text"/>{control}</View>'


@pytest.mark.parametrize("attributes", ["", 'choice="multiple"'])
@pytest.mark.parametrize("label", ODD.values(), ids=ODD)
def test_an_odd_label_before_and_after_it_was_learnt(backend: Backend, label: str, attributes: str) -> None:
    number = 100 + 2 * list(ODD.values()).index(label) + bool(attributes)
    uid, config = f"{number}.1795149789", config_of(label, "travel", attributes=attributes)
    answer = backend.post("/setup", {"project": uid, "schema": config, "hostname": ""})
    assert answer.json() == {"model_version": "v0"}
    (before,) = backend.predict([GOOD], uid, config)
    assert set(chosen(before)) <= {label, "travel"}
    examples = [("Please check my invoice", label), ("I was charged twice", label), ("The train was late", "travel")]
    teach(ObjectStore(backend.services.settings.store_address), uid, config, [*examples, ("A bus to town", "travel")])
    (entry,) = backend.predict([GOOD], uid, config)
    assert entry["model_version"] == "v1"
    assert chosen(entry) == [label]


def test_labels_of_the_same_name_and_without_name(backend: Backend) -> None:
    config = config_of("billing", "billing", "", "travel")
    (entry,) = backend.predict([GOOD], "130.1795149789", config)
    assert set(chosen(entry)) <= {"billing", "travel"}


def test_a_thousand_labels(backend: Backend) -> None:
    config = config_of(*(f"topic number {number}" for number in range(1000)))
    (entry,) = backend.predict([GOOD], "131.1795149789", config)
    assert len(chosen(entry)) <= 1


@pytest.mark.parametrize(
    "attributes",
    [
        'prelabel_model="nobody/knows.v1"',
        'prelabel_model="image_classification/efficientnet_lite0_linear.v1"',
        'prelabel_model="../../x"',
        'model_path="absent.safetensors"',
        'model_path="connection.json"',
    ],
)
def test_a_model_that_is_not_there_empties_its_control_alone(backend: Backend, attributes: str) -> None:
    other = '<Choices name="other" toName="text"><Choice value="billing"/><Choice value="travel"/></Choices></View>'
    config = config_of("billing", "travel", attributes=attributes).replace("</View>", other)
    before = backend.failures().get("model", 0.0)
    (entry,) = backend.predict([GOOD], "132.1795149789", config)
    assert {region["from_name"] for region in entry["result"]} <= {"other"}
    assert backend.failures()["model"] == before + 1


def test_a_label_that_left_the_config_is_shown_no_more(backend: Backend) -> None:
    uid = "133.1795149789"
    teach(
        ObjectStore(backend.services.settings.store_address),
        uid,
        TEXT_CONFIG,
        [("Please check my invoice", "billing"), ("The train was late", "travel")],
    )
    assert chosen(backend.predict([GOOD], uid, TEXT_CONFIG)[0]) == ["billing"]
    renamed = TEXT_CONFIG.replace('value="billing"', 'value="money"')
    gone, stays = backend.predict([GOOD, {"id": 2, "data": {"text": "The train was late"}}], uid, renamed)
    assert gone["result"] == []
    assert chosen(stays) == ["travel"], "labels that did not change go on being predicted until there is a new version"
    recalled = TEXT_CONFIG.replace('value="billing"', 'value="money" predicted_values="BILLING, bills"')
    assert chosen(backend.predict([GOOD], uid, recalled)[0]) == ["money"]
