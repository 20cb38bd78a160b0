"""spaCy's small tagger, trained at its defaults; run by `peers` with an interpreter that has spaCy."""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any


def main(file: Path) -> None:
    import spacy
    from spacy.training import Example
    from spacy.util import compounding, fix_random_seed, minibatch

    given: dict[str, Any] = json.loads(file.read_text("utf-8"))
    fix_random_seed(given["seed"])
    started = time.perf_counter()
    pipeline = spacy.blank("en")
    pipeline.add_pipe("ner")
    examples = [
        Example.from_dict(pipeline.make_doc(text), {"entities": [tuple(span) for span in spans]})
        for text, spans in given["train"]
    ]
    optimizer = pipeline.initialize(lambda: examples)
    for _ in range(given["epochs"]):
        random.shuffle(examples)
        for batch in minibatch(examples, size=compounding(4.0, 32.0, 1.001)):
            pipeline.update(batch, sgd=optimizer, drop=0.1)
    seconds = time.perf_counter() - started
    texts = [text for text, _ in given["test"]]
    found = [[(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in pipeline.pipe(texts)]
    print(json.dumps({"found": found, "seconds": seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
