"""Answers predictions from a pool of loaded versions; synchronous, no queue."""
