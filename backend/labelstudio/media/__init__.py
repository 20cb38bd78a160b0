"""Fetches what tasks point to: from the pinned Label Studio, from the public web, or from a data URI.

Task data are other people's input. No address is opened before it is checked, the token goes to Label Studio's
own media alone, and time and bytes are bounded.
"""

from __future__ import annotations

from backend.labelstudio.media.cache import MediaCache
from backend.labelstudio.media.fetcher import MediaFetcher, MediaLimits

__all__ = ["MediaCache", "MediaFetcher", "MediaLimits"]
