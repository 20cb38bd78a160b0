"""Parts of `tests.benchmarks.interactive` that click nothing: spans, and how long a SAM without its weights takes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from backend.interactive.ready import READY
from backend.interactive.spans import propose
from model_zoo.images import read_image
from model_zoo.interactive.prompts import Prompt
from tests.benchmarks.asking import Asker, marked
from tests.benchmarks.figures import Figure, median, percentile
from tests.benchmarks.shared_data import shared

CHARACTERS = 10_000
IN_TIME = 100.0
"""Milliseconds of proposing spans."""
SECONDS_TO_LOAD = 20.0


def spans(asker: Asker, quick: bool) -> Iterator[Figure]:
    """A document of ner_wnut17's sentences in which words with a capital are marked, each once."""
    text, names = _document()
    names = names[: 20 if quick else 60]
    xml, note = READY["spans"].xml, f"{len(text)} characters, {len(names)} marked words"
    asker.ask(xml, {"text": text}, [marked(text, names[0], 0)])
    time.sleep(SECONDS_TO_LOAD)  # the encoder is loaded in the background
    times = []
    for number, place in enumerate(names, start=1):
        # Other letters at its end: nothing is known of it from before, but for vectors of single words.
        asker.ask(xml, {"text": f"{text} {number}"}, [marked(text, place, number)], number)
        times.append(asker.last)
    yield Figure("spans", "answer over HTTP, median", median(times), "ms", None, note)
    yield Figure("spans", "answer over HTTP, 95 of 100", percentile(times, 0.95), "ms", IN_TIME, note)
    from model_zoo.runtime import shared_runtime
    from model_zoo.text_classification.minilm import MiniLM

    encoder = shared_runtime(None).encoder(MiniLM)
    encoder.encode(["warm"])
    for title, encode in (("letters alone", None), ("meaning too, no vector kept", encoder.encode)):
        times = []
        for place in names:
            begun = time.perf_counter()
            propose(text, place, [], encode)
            times.append(1000 * (time.perf_counter() - begun))
        yield Figure("spans", f"{title}, median", median(times), "ms", None, note)
        yield Figure("spans", f"{title}, 95 of 100", percentile(times, 0.95), "ms", IN_TIME, note)


def _document() -> tuple[str, list[tuple[int, int]]]:
    """The text, and where words with a capital are in it."""
    lines = (shared("ner_wnut17") / "emerging.dev.conll").read_text(encoding="utf-8").splitlines()
    words = [word for line in lines if (word := line.split("\t")[0])]
    text = " ".join(words)[:CHARACTERS]
    places = {(at, at + len(word)) for word in words if word[:1].isupper() and (at := text.find(word)) >= 0}
    return text, sorted(places)


def segment_anything(quick: bool) -> Iterator[Figure]:
    """MobileSAM's whole network with random weights, which take as long as trained ones: how long, not how well."""
    import torch

    from model_zoo.interactive.sam import SegmentAnything
    from model_zoo.object_detection.upstream import segment_anything as network

    torch.set_num_threads(1)  # as a server on two processors
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mobile_sam.pt"
        torch.save(network([64, 128, 160, 320], [2, 2, 6, 2], [2, 4, 5, 10], None).state_dict(), file)
        engine = SegmentAnything(file)
        images = sorted((shared("seg_pennfudan") / "PNGImages").glob("*.png"))[: 2 if quick else 6]
        embedding, prompts = [], []
        for number, image in enumerate(images):
            pixels = read_image(image)
            begun = time.perf_counter()
            features = engine.features(pixels)
            embedding.append(1000 * (time.perf_counter() - begun))
            for at in range(5):
                begun = time.perf_counter()
                engine.mask(pixels, features, Prompt(((20.0 + 30 * at, 40.0 + number),)))
                prompts.append(1000 * (time.perf_counter() - begun))
    note = "random weights, one thread"
    for title, values in (("embedding of an image", embedding[1:] or embedding), ("prompt", prompts[5:] or prompts)):
        yield Figure("MobileSAM", f"{title}, median", median(values), "ms", None, note)
        yield Figure("MobileSAM", f"{title}, 95 of 100", percentile(values, 0.95), "ms", None, note)
