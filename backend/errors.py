"""One tree of domain errors. Each message says what was got, what was wanted, and what to do next.

No HTTP here: `backend/server/errors.py` alone maps these to status codes.
"""

from __future__ import annotations


class PrelabelError(Exception):
    """Base of everything that Prelabel raises on purpose; its text may be shown to people."""


class SettingsError(PrelabelError):
    """A missing or malformed setting; names the key, the value and what was expected."""


class InvalidRequest(PrelabelError):
    """A request body of the wrong shape or type."""


class InvalidConfig(PrelabelError):
    """A labelling config that cannot be parsed or holds nothing that can be learnt."""


class Unauthorized(PrelabelError):
    """Missing or wrong credentials on a request to us."""


class Untrusted(PrelabelError):
    """An address that the operator has not pinned: a forged hostname, a private URL in a task."""


class UnknownProject(PrelabelError):
    """A project that was never set up here."""


class UnknownVersion(PrelabelError):
    """A version name that the project does not have."""


class UnknownJob(PrelabelError):
    """A job id that the queue does not have."""


class TaskUnusable(PrelabelError):
    """One task that cannot be predicted or learnt from: a missing key, a wrong type, an empty text."""


class MediaError(TaskUnusable):
    """Media that cannot be fetched or read: refused address, 404, too many bytes or pixels, not an image."""


class StoreError(PrelabelError):
    """The store is unreachable, or an object in it is damaged or incomplete."""


class StoreDamaged(StoreError):
    """An object is there, and is not what was written."""


class Superseded(PrelabelError):
    """A publish whose fencing token is older than what is already there: another worker was first."""


class LabelStudioError(PrelabelError):
    """Label Studio is unreachable, refuses us, or answers nonsense. `status` is its HTTP status, if any."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class QueueUnavailable(PrelabelError):
    """Redis cannot be reached; what was recorded is retried when it is back."""


class NothingToLearn(PrelabelError):
    """Training was asked for while no usable annotation exists. Not a failure."""
