"""SetFit on few labelled texts; run by `peers` with an interpreter that has setfit.

Contrastive pairs as its paper and documentation make them: `iterations` positive and as many negative ones a text, one
epoch in batches of 16, then logistic regression on what the encoder has become.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any


def main(file: Path) -> None:
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1", WANDB_DISABLED="true")
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    logging.getLogger("setfit").setLevel(logging.ERROR)
    given: dict[str, Any] = json.loads(file.read_text("utf-8"))
    torch.set_num_threads(given["threads"])
    model = SetFitModel.from_pretrained(given["weights"])
    texts, labels = zip(*given["train"], strict=True)
    begun = time.perf_counter()
    arguments = TrainingArguments(
        output_dir=str(file.parent), batch_size=16, num_epochs=1, num_iterations=given["iterations"],
        max_steps=given["most"], seed=given["seed"], report_to="none", save_strategy="no", show_progress_bar=False,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=Dataset.from_dict({"text": texts, "label": labels}))
    trainer.train()
    seconds = time.perf_counter() - begun
    found = model.predict([text for text, _ in given["test"]], show_progress_bar=False)
    right = sum(str(one) == true for one, (_, true) in zip(found, given["test"], strict=True))
    print(json.dumps({"accuracy": right / len(given["test"]), "seconds": seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
