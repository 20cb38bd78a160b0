"""Turned boxes on Ultralytics' networks: detectors (see `object_detection`) with a branch for angles."""
