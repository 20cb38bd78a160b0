"""Instance segmentation on Ultralytics' networks: detectors (see `object_detection`) with a branch for masks."""
