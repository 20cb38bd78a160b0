"""Answers a click, a box, a selection or a text while a person waits: synchronous, within a budget, and optional."""
