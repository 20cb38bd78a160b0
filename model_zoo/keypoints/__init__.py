"""Keypoints on Ultralytics' networks, which are AGPL-3.0; they are loaded by `object_detection` alone."""
