"""What `make run` shows: a Label Studio of its own, and sample projects made on the spot."""
