"""The generated samples: enough, always the same, and what they claim to be."""

from __future__ import annotations

import io
from collections import Counter

from PIL import Image

from backend.demo.samples import DIGITS_CONFIG, SIZE, TICKETS_CONFIG, digits, tickets
from backend.labelstudio.config import parse_config


def test_tickets_are_many_different_balanced_and_always_the_same() -> None:
    made = list(tickets())
    assert made == list(tickets())
    assert len({ticket.text for ticket in made}) == len(made) >= 300
    shares = Counter(ticket.topic for ticket in made)
    assert max(shares.values()) - min(shares.values()) <= 1
    assert not [ticket.text for ticket in made if "{" in ticket.text]


def test_digits_are_png_files_of_every_digit_and_always_the_same() -> None:
    made = list(digits(60))
    assert made == list(digits(60))
    assert {image.digit for image in made} == set(range(10))
    assert len({image.name for image in made}) == 60
    with Image.open(io.BytesIO(made[0].png)) as picture:
        assert (picture.format, picture.size) == ("PNG", (SIZE, SIZE))


def test_configs_name_the_labels_of_the_samples() -> None:
    topics = parse_config(TICKETS_CONFIG).controls[0]
    assert {label.value for label in topics.labels} == {ticket.topic for ticket in tickets(50)}
    shown = parse_config(DIGITS_CONFIG).controls[0]
    assert {label.value for label in shown.labels} == {str(image.digit) for image in digits(60)}
