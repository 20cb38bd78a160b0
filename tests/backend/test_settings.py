"""Settings are read once, wrong ones are named, secrets are stars, and the README says what the code does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from backend.errors import SettingsError
from backend.settings import EXTERNAL, Settings, variable
from backend.settings_table import BEGIN, END, main, replaced, table
from model_zoo.images import MAX_PIXELS

ROOT = Path(__file__).parents[2]
NAMES = list(Settings.model_fields)
SECRETS = ("label_studio_api_key", "password", "redis_url")


@cache
def sources() -> list[tuple[Path, ast.Module]]:
    """Every module of ours but the one that reads the environment."""
    files = [file for package in ("backend", "model_zoo") for file in (ROOT / package).rglob("*.py")]
    return [(file, ast.parse(file.read_text(encoding="utf-8"))) for file in files if file.name != "settings.py"]


@cache
def read_of_settings() -> frozenset[str]:
    """What any module takes from something that is called settings."""
    return frozenset(
        node.attr
        for _, module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and "settings" in ast.unparse(node.value)
    )


def read_names(module: ast.Module) -> Iterator[str]:
    """Attributes and imported names; not those of which an item is set, as in `os.environ["A"] = "b"`."""
    nodes = list(ast.walk(module))
    set_items = {node.value for node in nodes if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.alias):
            yield node.name
        elif isinstance(node, ast.Attribute) and node not in set_items:
            yield node.attr


def test_everything_has_a_default_that_holds() -> None:
    settings = Settings.from_environment({})
    assert (settings.port, settings.host, settings.password) == (9090, "127.0.0.1", None)
    assert settings.data_dir == Path.home() / ".prelabel"
    assert settings.own_address == "http://127.0.0.1:9090"
    assert settings.store_address == str(settings.data_dir / "store")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PRELABEL_PORT", "8123", 8123),
        ("PRELABEL_RETRAIN_GROWTH", "0.25", 0.25),
        ("PRELABEL_ALLOWED_HOSTS", " Media.local, ,10.0.0.7 ", ("media.local", "10.0.0.7")),
        ("PRELABEL_DATA_DIR", "~/here", Path.home() / "here"),
        ("PRELABEL_WEIGHTS_DIR", "weights", Path.cwd() / "weights"),
        ("PRELABEL_LOG_LEVEL", "debug", "DEBUG"),
        ("LABEL_STUDIO_URL", "https://host/label-studio/", "https://host/label-studio"),
        ("PRELABEL_PUBLIC_URL", "http://prelabel.local:9090", "http://prelabel.local:9090"),
    ],
)
def test_a_variable_is_read(name: str, text: str, value: Any) -> None:
    (field,) = (field for field in NAMES if variable(field) == name)
    assert getattr(Settings.from_environment({name: text, "PATH": "/bin", "HOME": "/"}), field) == value


def test_an_empty_variable_counts_as_none() -> None:
    assert Settings.from_environment({"PRELABEL_PORT": "", "PRELABEL_PASSWORD": ""}).port == 9090


def test_what_a_command_is_given_comes_first() -> None:
    assert Settings.from_environment({"PRELABEL_PORT": "1", "PRELABEL_TITLE": "mine"}, port=2, title=None).port == 2


def test_settings_of_one_process_can_differ_and_never_change() -> None:
    one, other = Settings.from_environment({"PRELABEL_PORT": "1"}), Settings.from_environment({})
    assert (one.port, other.port) == (1, 9090)
    with pytest.raises(ValidationError, match="frozen"):
        one.port = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("PRELABEL_PORT", "many", "valid integer"),
        ("PRELABEL_PORT", "0", "greater than or equal to 1"),
        ("PRELABEL_PORT", "65536", "less than or equal to 65535"),
        ("PRELABEL_SERVERS", "0", "greater than 0"),
        ("PRELABEL_RETRAIN_GROWTH", "1.5", "less than or equal to 1"),
        ("PRELABEL_PREDICT_BUDGET", "-1", "greater than 0"),
        ("PRELABEL_MEDIA_TIMEOUT", "inf", "finite number"),
        ("PRELABEL_MEDIA_MAX_PIXELS", "80000001", "less than or equal to 80000000"),
        ("PRELABEL_LOG_LEVEL", "LOUD", "expected debug, info, warning or error"),
        ("LABEL_STUDIO_URL", "localhost:8080", "begins with http:// or https://"),
        ("PRELABEL_PUBLIC_URL", "ftp://host", "begins with http:// or https://"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(name: str, text: str, wanted: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({name: text})
    said = str(raised.value)
    (field,) = (field for field in NAMES if variable(field) == name)
    assert said.startswith(f"{name}: got '{text}', ")
    assert wanted in said
    assert str(Settings.model_fields[field].description) in said


def test_every_wrong_value_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"PRELABEL_PORT: got 'x'.*PRELABEL_SEED: got 'y'"):
        Settings.from_environment({"PRELABEL_PORT": "x", "PRELABEL_SEED": "y"})


def test_a_misspelt_variable_is_named_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"Unknown setting PRELABEL_PROT\. .*PRELABEL_PORT") as raised:
        Settings.from_environment({"PRELABEL_PROT": "1"})
    assert all(variable(name) in str(raised.value) for name in NAMES)


@pytest.mark.parametrize("name", sorted(EXTERNAL))
def test_variables_of_benchmarks_are_left_alone(name: str) -> None:
    Settings.from_environment({name: "/somewhere"})


@pytest.mark.parametrize("name", ["PRELABEL_USERNAME", "PRELABEL_PASSWORD"])
def test_user_name_and_password_belong_together(name: str) -> None:
    with pytest.raises(SettingsError, match=r"set both or neither") as raised:
        Settings.from_environment({name: "hidden"})
    assert "hidden" not in str(raised.value)


def test_secrets_print_as_stars() -> None:
    settings = Settings.from_environment({"PRELABEL_USERNAME": "me"} | {variable(name): "hidden" for name in SECRETS})
    shown = (repr(settings), str(settings), settings.model_dump_json(), f"{settings.model_dump()}")
    assert all("hidden" not in text and "****" in text for text in shown)
    with pytest.raises(SettingsError, match=r"PRELABEL_PASSWORD: got \*\*\*") as raised:
        Settings.from_environment({}, password=b"\xffhidden"[0])
    assert "255" not in str(raised.value)


def test_every_setting_that_may_hold_a_secret_does_so_as_one() -> None:
    secret = [name for name in NAMES if "SecretStr" in str(Settings.model_fields[name].annotation)]
    assert sorted(secret) == sorted(SECRETS)


def test_only_one_module_reads_the_environment() -> None:
    setter = ROOT / "model_zoo/object_detection/upstream.py"  # tells ultralytics, which listens to nothing else
    readers = [
        (file.relative_to(ROOT), name) for file, module in sources() if file != setter for name in read_names(module)
    ]
    assert [(file, name) for file, name in readers if name in {"environ", "environb", "getenv", "getenvb"}] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_used(name: str) -> None:
    # These are used through what the settings make of them.
    made = {"store_url": "store_address", "public_url": "own_address", "reconcile_interval": "look_interval"}
    attribute = made.get(name, name)
    assert attribute in read_of_settings(), f"nothing reads settings.{attribute}"


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_described_in_a_sentence(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description is not None
    assert description[0].isupper()
    assert description.endswith(".")
    assert "|" not in description


def test_the_largest_image_is_one_that_the_zoo_reads() -> None:
    assert Settings().media_max_pixels == MAX_PIXELS


def test_the_readme_s_table_is_the_code_s() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\n## Settings\n" in readme
    assert f"{BEGIN}\n{table()}\n{END}" in readme, "Run `python -m backend.settings_table README.md`."


def test_the_table_has_a_row_for_every_setting() -> None:
    rows = table().splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [f"| `{variable(name)}`" for name in NAMES]
    assert all(row.count(" | ") == 3 for row in rows)
    assert "| `PRELABEL_PORT` | whole number from 1 to 65535 | `9090` | Port to listen on. |" in rows
    assert any(row.startswith("| `PRELABEL_PASSWORD` | secret |  | ") for row in rows)


def test_the_table_is_put_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "README.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    main([str(file)])
    assert file.read_text(encoding="utf-8") == f"before\n{BEGIN}\n{table()}\n{END}\nafter\n"
    main([])
    assert capsys.readouterr().out == table() + "\n"
    with pytest.raises(ValueError, match="Found no place for the table"):
        replaced("no marks")
