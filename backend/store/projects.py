"""The records of all projects that were ever set up here."""

from __future__ import annotations

from backend.errors import UnknownProject
from backend.projects.record import ProjectRecord
from backend.store import paths
from backend.store.objects import ObjectMissing, ObjectStore, to_json


class ProjectRecords:
    """One small object a project, replaced as a whole."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def get(self, uid: str) -> ProjectRecord:
        """Raises `UnknownProject`."""
        record = self.find(uid)
        if record is None:
            raise UnknownProject(
                f"Project {uid} was never set up here. Connect it with `prelabel connect --project ID`, "
                "or add this backend in the project's settings."
            )
        return record

    def find(self, uid: str) -> ProjectRecord | None:
        try:
            return ProjectRecord.from_json(self._store.read_json(paths.within(uid, "record.json")))
        except ObjectMissing:
            return None

    def put(self, record: ProjectRecord) -> None:
        self._store.write(paths.within(record.uid, "record.json"), to_json(record.to_json()))

    def all(self) -> list[ProjectRecord]:
        """Every project, by Label Studio's id."""
        found = (self.find(uid) for uid in self._store.folders(paths.PROJECTS))
        return sorted((record for record in found if record), key=lambda record: (record.id, record.uid))

    def newest(self, project: int) -> ProjectRecord:
        """The project of that id in Label Studio, which may have given it more than once. Raises `UnknownProject`."""
        known = self.all()
        found = [record for record in known if record.id == project]
        if not found:
            ids = ", ".join(str(record.id) for record in known) or "none"
            raise UnknownProject(
                f"Project {project} was never set up here; projects that were: {ids}. Connect it with "
                f"`prelabel connect --project {project}`."
            )
        return max(found, key=lambda record: record.set_up_at)

    def delete(self, uid: str) -> None:
        """Forget the project with its versions, snapshots, ledger and features."""
        self._store.delete_folder(paths.project(uid))
