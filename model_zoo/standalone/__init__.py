"""Models in use without Prelabel: a module a kind of task, named as it is, that writes and reads what is exported.

`prelabel export` copies such a module, and what it imports of the zoo, beside the model: an exported model reads and
decides with the very code that did so here. Each has `write(model, folder)`, which puts beside the network what the
model consists of and returns what the loader has to know, and `Predictor(folder, config, run)`, which answers.
"""
