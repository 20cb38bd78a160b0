"""Who a project is: Label Studio's `<id>.<created timestamp>`, and the names that its versions carry."""

from __future__ import annotations

import re
from datetime import datetime

from backend.errors import InvalidRequest

UNTRAINED = "v0"
"""The name of a project's state before its first version."""

_UID = re.compile(r"[1-9][0-9]{0,18}\.[0-9]{1,12}")
_VERSION = re.compile(r"v[1-9][0-9]{0,8}")


class Uid(str):
    """A project's uid, checked: a plain string elsewhere, safe as the name of a folder.

    Raises `InvalidRequest` for anything but digits, one dot and digits.
    """

    __slots__ = ()

    def __new__(cls, value: object) -> Uid:
        if not isinstance(value, str) or not _UID.fullmatch(value):
            raise InvalidRequest(
                f"project: got {_shown(value)}, wanted Label Studio's '<id>.<created timestamp>' such as "
                "'1.1795149789'. Send the project as Label Studio does."
            )
        return super().__new__(cls, value)

    @classmethod
    def from_project(cls, project_id: int, created_at: datetime | str) -> Uid:
        """The uid that Label Studio gives this project. A string must be ISO 8601 with its time zone."""
        moment = _moment(created_at) if isinstance(created_at, str) else created_at
        if moment.tzinfo is None:
            raise InvalidRequest(f"created_at: got {moment.isoformat()} without time zone, wanted one with it.")
        return cls(f"{project_id}.{int(moment.timestamp())}")

    @property
    def project_id(self) -> int:
        """Label Studio's id of the project."""
        return int(self.partition(".")[0])

    @property
    def created(self) -> int:
        """When the project was created, in Unix seconds."""
        return int(self.partition(".")[2])


def unix_time(text: str) -> float:
    """Unix seconds of one of Label Studio's times; 0 for an empty text. Raises `InvalidRequest`."""
    return _moment(text).timestamp() if text else 0.0


def version_name(number: int) -> str:
    """`v7` for 7; 0 is the untrained state."""
    return f"v{number}"


def is_version(name: str) -> bool:
    """Whether it is what a version is called, such as `v7`."""
    return bool(_VERSION.fullmatch(name))


def version_number(name: str) -> int:
    """7 for `v7`. Raises `InvalidRequest` when `name` is no version's name."""
    if name != UNTRAINED and not _VERSION.fullmatch(name):
        raise InvalidRequest(f"version: got {_shown(name)}, wanted a name such as 'v3'.")
    return int(name[1:])


def _moment(text: str) -> datetime:
    try:
        # Python 3.10 does not read the Z that Label Studio ends its times with.
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text.strip().replace("Z", "+00:00")))
    except ValueError:
        raise InvalidRequest(
            f"created_at: got {_shown(text)}, wanted an ISO 8601 time such as '2026-11-20T06:27:00Z'."
        ) from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
