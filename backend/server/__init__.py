"""Label Studio's ML-backend protocol over HTTP: one file a noun, credentials, limits, and the one error map."""
