"""Sentences about whole images."""
