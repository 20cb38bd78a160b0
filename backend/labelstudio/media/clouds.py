"""Objects in cloud storage, read directly with the credentials that the environment holds.

Task data are other people's input, and the credentials are the operator's: only buckets that the operator has named
are read this way. What fsspec's libraries take from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`,
`GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_CONNECTION_STRING`, ...) is theirs to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.errors import MediaError
from backend.labelstudio.media.locations import is_plain, shown

_PROTOCOLS = {"s3": "s3", "gs": "gs", "azure-blob": "az"}
"""fsspec's names for what Label Studio calls s3, gs and azure-blob."""
_EXTRAS = {"s3": "s3", "gs": "gs", "azure-blob": "azure"}


class Buckets:
    """The buckets, or folders in them, that may be read directly: `s3://photos`, `gs://photos/2026`."""

    def __init__(self, named: Sequence[str], timeout: float, max_bytes: int) -> None:
        self._named = tuple(_split(one.rstrip("/")) for one in named)
        self._timeout = timeout
        self._max_bytes = max_bytes

    def cover(self, uri: str) -> bool:
        """Whether `uri` lies in one of them."""
        scheme, path = _split(uri.strip())
        if not is_plain(path):  # some stores take such a key for a path, and step out of the folder
            return False
        return any(scheme == its and path.startswith(f"{folder}/") for its, folder in self._named)

    def read(self, uri: str) -> bytes:
        """At most one byte more than the bound of the object that `uri` names. Raises `MediaError`."""
        scheme, path = _split(uri.strip())
        try:
            storage = _storage(_PROTOCOLS[scheme])
            # One request, and a bound that the store keeps: nothing is asked about the size first.
            return bytes(storage.cat_file(path, start=0, end=self._max_bytes + 1, timeout=self._timeout))
        except ImportError:
            raise MediaError(
                f'"{shown(uri)}" is to be read directly, and what reads {scheme}:// is not installed. '
                f"Run `pip install 'prelabel[{_EXTRAS[scheme]}]'`."
            ) from None
        except FileNotFoundError:
            raise MediaError(
                f'"{shown(uri)}" is not there. Correct the address in the task\'s data, and check that the '
                "credentials belong to the account that has the bucket."
            ) from None
        except Exception as error:  # each store's library raises errors of its own
            if "timeout" in type(error).__name__.lower():
                raise MediaError(
                    f'"{shown(uri)}" did not arrive within {self._timeout:g} s. Try again, or raise '
                    "PRELABEL_MEDIA_TIMEOUT."
                ) from error
            raise MediaError(
                f'"{shown(uri)}" could not be read ({type(error).__name__}: {error}). Check the credentials in the '
                "environment, or take the bucket out of PRELABEL_CLOUD_BUCKETS to read through Label Studio."
            ) from error


def _storage(protocol: str) -> Any:
    """Asked for at every use: fsspec keeps one a process, and a forked child must not use its parent's."""
    import fsspec  # 50 ms, which projects without cloud storage do not need

    return fsspec.filesystem(protocol, use_listings_cache=False)


def _split(uri: str) -> tuple[str, str]:
    scheme, _, path = uri.partition("://")
    return scheme.lower(), path
