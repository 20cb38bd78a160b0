"""Detection on Ultralytics' networks. AGPL-3.0: nothing outside this package imports `ultralytics`."""
