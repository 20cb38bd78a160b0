"""Where pretrained weights come from. Nothing here imports torch.

They are looked for in this order: the operator's file, the weights folder, an installed package that carries
them, the hub's cache, the hub. Random initialisation comes last of all for families that can train from it;
those on frozen features cannot, so for them nothing found is an error.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from socket import create_connection
from urllib.parse import urlsplit

from model_zoo.errors import WeightsNotFound

HUB_TIMEOUT = 5.0
"""Seconds that the hub may take to answer before the search is over."""


@dataclass(frozen=True)
class Weights:
    """Pretrained weights by name: the files they are made of, who carries them, and on what terms.

    `files` come with `main` first. `sha256` is that of the main file as it was tested; another file in its
    place is accepted from the operator, and told apart by `Located.variant`. `package` is empty where no package
    carries them. A file whose name says what it is (`plain`) may lie in the weights folder itself.
    """

    name: str
    files: tuple[str, ...]
    package: str
    folder: str
    sha256: str
    size: int
    licence: str
    hub: str | None = None
    plain: bool = False

    @property
    def main(self) -> str:
        return self.files[0]


@dataclass(frozen=True)
class Located:
    """Weights that were found: where each file is, and in whose keeping."""

    weights: Weights
    paths: dict[str, Path]
    origin: str

    @property
    def main(self) -> Path:
        return self.paths[self.weights.main]

    @property
    def variant(self) -> str:
        """Empty for the weights as tested, else `+` and 12 digits of the main file's SHA-256."""
        digest = _sha256(self.main, self.main.stat().st_mtime_ns)
        return "" if digest == self.weights.sha256 else f"+{digest[:12]}"


def locate(weights: Weights, folder: Path | None = None, file: str | None = None, hub: bool = True) -> Located:
    """Find `weights`; `file` is a file name inside `folder` that replaces the main file.

    With `hub` false nothing is asked over the network. Raises `WeightsNotFound`, naming every place looked at.
    """
    if file is not None:
        chosen = _chosen(folder, file)
        rest = locate(weights, folder, hub=hub).paths if len(weights.files) > 1 else {}
        return Located(weights, {**rest, weights.main: chosen}, f"file {file}")
    local = [(folder / weights.name, f"weights folder {folder}")] if folder is not None else []
    if folder is not None and weights.plain:
        local.append((folder, f"weights folder {folder}"))
    if (package := _package(weights)) is not None:
        local.append((package, f"package {weights.package}"))
    for place, origin in local:
        paths = {name: place / name for name in weights.files}
        if all(path.is_file() for path in paths.values()):
            return Located(weights, paths, origin)
    if weights.hub is not None and (found := _from_hub(weights, weights.hub, hub)) is not None:
        return found
    raise WeightsNotFound(
        f"No weights for {weights.name}. Wanted {', '.join(weights.files)}; looked in "
        f"{folder / weights.name if folder else 'no weights folder (PRELABEL_WEIGHTS_DIR is not set)'}"
        f"{f', in the package {weights.package}' if weights.package else ''}"
        f"{' and on the hub' if weights.hub else ''}. "
        f"{'Install the package or put' if weights.package else 'Put'} the files ({weights.size / 1e6:.0f} MB) "
        "into that folder."
    )


def _chosen(folder: Path | None, file: str) -> Path:
    if folder is None or Path(file).name != file or not (folder / file).is_file():
        raise WeightsNotFound(
            f"Got {file!r}, wanted the name of a file inside the weights folder "
            f"({folder or 'PRELABEL_WEIGHTS_DIR is not set'}); put it there, or leave the name out."
        )
    return folder / file


def _package(weights: Weights) -> Path | None:
    spec = find_spec(weights.package) if weights.package else None
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    return Path(places[0]) / weights.folder if places else None


def _from_hub(weights: Weights, repository: str, network: bool) -> Located | None:
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import constants, hf_hub_download

    for offline in (True, False) if network else (True,):
        # The client itself tries five times, half a minute in all, where nobody answers.
        if not offline and not _answers(constants.ENDPOINT):
            break
        try:
            paths = {
                name: Path(hf_hub_download(repository, name, local_files_only=offline, etag_timeout=HUB_TIMEOUT))
                for name in weights.files
            }
        # The hub's client raises its own errors, its HTTP library's, OSError and ValueError; all mean "not there".
        except Exception:  # noqa: BLE001, S112
            continue
        return Located(weights, paths, f"hub {repository}{' (cached)' if offline else ''}")
    return None


@cache
def _answers(address: str) -> bool:
    """Whether somebody listens at this address; asked once a process."""
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        create_connection((parts.hostname or "", port), timeout=HUB_TIMEOUT).close()
    except OSError:
        return False
    return True


@cache
def _sha256(path: Path, modified: int) -> str:
    """Digest of a file; `modified` is its time of change, so that a replaced file is read again."""
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
