"""Uids and version names."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from backend.errors import InvalidRequest
from backend.projects.identity import UNTRAINED, Uid, version_name, version_number


def test_uid_of_label_studio_is_a_string_with_its_parts() -> None:
    uid = Uid("12.1795149789")
    assert uid == "12.1795149789"
    assert (uid.project_id, uid.created) == (12, 1795149789)


@pytest.mark.parametrize(
    "value",
    [
        "../../x",
        "1",
        "1.",
        ".1",
        "0.1",
        "1.2.3",
        "1.2/..",
        "1.2\n",
        " 1.2",
        "١.٢",
        "-1.2",
        "",
        None,
        1.2,
        ["1.2"],
        "9" * 40,
    ],
)
def test_anything_else_is_refused_with_a_sentence(value: object) -> None:
    with pytest.raises(InvalidRequest, match=r"got .*, wanted Label Studio's"):
        Uid(value)


def test_long_garbage_is_shown_cut_short() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Uid("x" * 10_000)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "created_at",
    [
        "2026-11-20T06:27:09.123456Z",
        "2026-11-20T06:27:09Z",
        "2026-11-20T07:27:09+01:00",
        datetime(2026, 11, 20, 6, 27, 9, 999_999, tzinfo=timezone.utc),
        datetime(2026, 11, 20, 8, 27, 9, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_uid_from_a_project_counts_whole_seconds_in_utc(created_at: datetime | str) -> None:
    assert Uid.from_project(3, created_at) == "3.1795156029"


@pytest.mark.parametrize("created_at", ["yesterday", "2026-11-20T06:27:09", datetime(2026, 11, 20)])
def test_a_time_that_could_mean_several_is_refused(created_at: datetime | str) -> None:
    with pytest.raises(InvalidRequest):
        Uid.from_project(3, created_at)


def test_version_names_and_numbers_agree() -> None:
    assert version_name(0) == UNTRAINED
    assert [version_number(version_name(number)) for number in (0, 1, 10, 999)] == [0, 1, 10, 999]


@pytest.mark.parametrize("name", ["v01", "v", "1", "v-1", "v1/..", "V1", "", "v1.json"])
def test_other_names_of_versions_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="wanted a name such as 'v3'"):
        version_number(name)
