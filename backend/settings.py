"""The only reader of the environment: once, into one frozen object.

Every field is a setting: its environment variable is `PRELABEL_` and the field's name in capitals, unless
an alias says otherwise (`LABEL_STUDIO_URL`, `LABEL_STUDIO_API_KEY`). The description is what the README's table
says, and a test holds the two together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from backend.errors import SettingsError

PREFIX = "PRELABEL_"

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_BUCKET = re.compile(r"(s3|gs|azure-blob)://[^/\s]+(/\S*)?")

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """All settings of a Prelabel process, validated and immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, validate_default=True)

    label_studio_url: str | None = Field(
        None,
        validation_alias=AliasChoices("LABEL_STUDIO_URL", "label_studio_url"),
        description="Address of the pinned Label Studio, sub-path included. `prelabel connect` remembers it.",
    )
    label_studio_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("LABEL_STUDIO_API_KEY", "label_studio_api_key"),
        description="Personal access token or legacy token for that Label Studio. `prelabel connect` remembers it.",
    )
    data_dir: Path = Field(Path("~/.prelabel"), description="Folder for everything Prelabel writes.")
    store_url: str | None = Field(
        None,
        description="Where versions, snapshots and the ledger lie: a folder or fsspec URL. Default: `DATA_DIR/store`.",
    )
    redis_url: SecretStr | None = Field(
        None, description="Redis to use. Without it `prelabel up` starts a private one in the data folder."
    )
    weights_dir: Path | None = Field(None, description="Folder with pretrained weights, searched first.")
    families: tuple[str, ...] = Field(
        (),
        description="Comma-separated dotted paths, such as `mine.zoo.Quick`, of families of your own that a labelling "
        "config may name.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(9090, ge=1, le=65535, description="Port to listen on.")
    public_url: str | None = Field(
        None, description="Address under which Label Studio reaches this backend. Default: `http://HOST:PORT`."
    )
    servers: Positive = Field(1, description="Server processes that `prelabel up` and `prelabel serve` start.")
    username: str | None = Field(None, description="User name for Basic Auth on every route; needs the password.")
    password: SecretStr | None = Field(None, description="Password for Basic Auth; needs the user name.")
    title: str = Field("Prelabel", min_length=1, description="Title of the backend inside Label Studio.")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Comma-separated hosts whose media may be fetched although their address is private."
    )
    cloud_buckets: tuple[str, ...] = Field(
        (),
        description="Comma-separated buckets, such as `s3://photos` or `gs://photos/2026`, that are read directly with "
        "the environment's credentials; others are read through Label Studio.",
    )
    media_cache_bytes: Positive = Field(2 * 1024**3, description="Upper bound of the media cache on disk, in bytes.")
    media_max_bytes: Positive = Field(50 * 1024**2, description="Largest file that is fetched for one task, in bytes.")
    media_max_pixels: int = Field(
        80_000_000, gt=0, le=80_000_000, description="Largest image that is decoded, in pixels: at most 80,000,000."
    )
    media_timeout: Seconds = Field(10.0, description="Seconds to wait for one file.")
    model_memory_bytes: Positive = Field(
        512 * 1024**2,
        description="Memory for loaded project models in one process, in bytes; the least recently used go first.",
    )
    predict_budget: Seconds = Field(80.0, description="Seconds after which `/predict` answers with what it has.")
    interactive_budget: Seconds = Field(
        2.0, description="Seconds after which a click, a box or a selection is answered with the best so far."
    )
    interactive_cache_bytes: Positive = Field(
        256 * 1024**2,
        description="Memory for images that are being annotated and what engines see in them, in one process; bytes.",
    )
    torch_threads: int = Field(
        0,
        ge=0,
        description="Threads for tensor work in one process; 0: half of the processors in a server, all but one in a "
        "training.",
    )
    compiled: bool = Field(
        True, description="Serve models as compiled by OpenVINO where the extra `compiled` is installed."
    )
    retrain_always_below: int = Field(50, ge=0, description="Below this many labelled tasks every change retrains.")
    retrain_growth: Fraction = Field(0.1, description="From there on, retrain after this share of changed labels.")
    refresh_quiet: float = Field(
        3.0,
        ge=0,
        description="Seconds without another version before all tasks get its predictions; the next eight get them at "
        "once.",
    )
    retrain_quiet: Seconds = Field(60.0, description="From there on, retrain after so many seconds of quiet, too.")
    retrain_spacing: float = Field(
        2.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds from one training of a project to its next at least, however fast labels arrive.",
    )
    reconcile_interval: Seconds = Field(
        300.0, description="Seconds between looks for changes that no webhook announced."
    )
    polling: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds between such looks where no webhook is to be used at all; 0: webhooks are.",
    )
    holdout_fraction: Fraction = Field(0.2, description="Share of tasks that are never trained on.")
    holdout_after: int = Field(25, ge=0, description="The holdout starts once this many tasks are labelled.")
    holdout_blind_fraction: Fraction = Field(0.5, description="Share of the holdout that is shown without prediction.")
    control_fraction: Fraction = Field(
        0.0,
        description="Share of the other tasks that are shown without prediction, too, to measure the time that "
        "predictions save.",
    )
    distil_tasks: Positive = Field(
        200, description="Unlabelled tasks, at most, that the teacher of the recipe `distil` labels for a training."
    )
    urgent_tasks: Positive = Field(64, description="Tasks whose predictions are written first after a swap.")
    job_timeout: Positive = Field(3600, description="Seconds after which a background job is ended.")
    keep_versions: Positive = Field(
        30,
        description="Newest versions that are kept whatever their age. Kept for ever: the current or pinned version, "
        "and the one before it.",
    )
    keep_days: float = Field(
        30.0, ge=0, allow_inf_nan=False, description="Days for which the versions before those are kept."
    )
    machine_rate: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Price of an hour of the training machine, in any currency, for what each version says it cost; 0: "
        "not said.",
    )
    seed: int = Field(0, description="Seed of everything random in training.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(host.strip().lower() for host in value.split(",") if host.strip())

    @field_validator("families", mode="before")
    @classmethod
    def _split_families(cls, value: Any) -> Any:
        paths = tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value
        if isinstance(paths, tuple) and not all(_DOTTED.fullmatch(str(one)) for one in paths):
            raise ValueError("expected dotted paths to classes, such as package.module.Class")
        return paths

    @field_validator("cloud_buckets", mode="before")
    @classmethod
    def _split_buckets(cls, value: Any) -> Any:
        buckets = tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value
        if isinstance(buckets, tuple) and not all(_BUCKET.fullmatch(str(one)) for one in buckets):
            raise ValueError("expected addresses that begin with s3://, gs:// or azure-blob:// and name a bucket")
        return buckets

    @field_validator("data_dir", "weights_dir", mode="after")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("expected DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("label_studio_url", "public_url")
    @classmethod
    def _http_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("expected an address that begins with http:// or https://")
        return value.rstrip("/") if value else None

    @property
    def store_address(self) -> str:
        return self.store_url or str(self.data_dir / "store")

    @property
    def look_interval(self) -> float:
        """Seconds between looks for changes that nothing announced."""
        return self.polling or self.reconcile_interval

    @property
    def own_address(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"

    @classmethod
    def load(cls, **given: Any) -> Settings:
        """Read this process's environment; values in `given` come first. Raises `SettingsError`."""
        return cls.from_environment(os.environ, **given)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **given: Any) -> Settings:
        """Read `environment`; values in `given` (a command's options) come first. Raises `SettingsError`."""
        values: dict[str, Any] = {}
        for name in cls.model_fields:
            key = variable(name)
            if environment.get(key, "") != "":
                values[name] = environment[key]
            if given.get(name) is not None:
                values[name] = given[name]
        unknown = sorted(key for key in environment if key.startswith(PREFIX) and key not in _variables())
        if unknown:
            raise SettingsError(
                f"Unknown setting {unknown[0]}. Remove it, or use one of: {', '.join(sorted(_variables()))}."
            )
        try:
            settings = cls(**values)
        except ValidationError as error:
            raise SettingsError(_explain(error, values)) from None
        if (settings.username is None) != (settings.password is None):
            raise SettingsError("PRELABEL_USERNAME and PRELABEL_PASSWORD belong together: set both or neither.")
        return settings


EXTERNAL = frozenset({"PRELABEL_SHARED"})
"""Variables that only benchmarks and tests read."""


def variable(name: str) -> str:
    """The environment variable of the setting called `name`."""
    return name.upper() if name.startswith("label_studio_") else PREFIX + name.upper()


def _variables() -> frozenset[str]:
    return frozenset(variable(name) for name in Settings.model_fields) | EXTERNAL


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    lines = []
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else ""
        field = Settings.model_fields.get(name)
        secret = field is not None and "SecretStr" in str(field.annotation)
        got = "***" if secret else repr(values.get(name))
        meaning = field.description if field else ""
        lines.append(f"{variable(name)}: got {got}, {problem['msg'].lower()}. {meaning}".strip())
    return " ".join(lines)
