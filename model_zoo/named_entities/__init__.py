"""Families that find labelled spans in texts."""
