"""Files of one folder as the media of tasks."""

from __future__ import annotations

from pathlib import Path

from backend.errors import MediaError

SUFFIXES = {
    "HyperText": (".htm", ".html"),
    "Image": (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"),
    "Text": (".txt",),
}
"""Which files an object tag of a labelling config can show, by their endings in lower case."""


class FolderMedia:
    """Reads files by their path below `folder`, with slashes; nothing outside of it."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder.resolve()
        self._max_bytes = max_bytes

    def names(self, object_tag: str) -> list[str]:
        """The files that `object_tag` can show, sorted; hidden ones and hidden folders are left out."""
        endings = SUFFIXES.get(object_tag, ())
        found = (path.relative_to(self._folder) for path in self._folder.rglob("*") if path.is_file())
        return sorted(
            path.as_posix()
            for path in found
            if path.suffix.lower() in endings and not any(part.startswith(".") for part in path.parts)
        )

    def fetch(self, url: str, *, task_id: int | None = None) -> Path:
        """The file called `url`. Raises `MediaError`."""
        path = (self._folder / url).resolve()
        if not path.is_relative_to(self._folder):
            raise MediaError(f'"{url}" lies outside of {self._folder}. Copy it there.')
        try:
            size = path.stat().st_size
        except OSError as error:
            raise MediaError(f'"{url}" cannot be read: {error.strerror}.') from None
        if size > self._max_bytes:
            raise MediaError(
                f'"{url}" is larger than {self._max_bytes} bytes. Make it smaller, or raise PRELABEL_MEDIA_MAX_BYTES.'
            )
        return path

    def fetch_text(self, url: str, *, task_id: int | None = None) -> str:
        """The text of the file called `url`, in UTF-8. Raises `MediaError`."""
        path = self.fetch(url)
        try:
            return path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise MediaError(f'"{url}" cannot be read: {error.strerror}.') from None
        except UnicodeDecodeError:
            raise MediaError(f'"{url}" is no text in UTF-8. Convert it, or take it out of the folder.') from None

    def forget(self, url: str, *, task_id: int | None = None) -> None:
        """Nothing is kept, so nothing is forgotten."""
