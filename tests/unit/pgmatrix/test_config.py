"""Settings: which source wins, where each came from, and what is said of each that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.config import KEYS, RUN_VARIABLES, Config, ProviderName, find_root, load
from pgmatrix.errors import ConfigError, UnknownName
from pgmatrix.matrix import Cell, Driver
from tests.unit.pgmatrix.builders import TABLE, a_project

ALL = (Driver.ASYNCPG, Driver.PSYCOPG)


def table(lines: str) -> str:
    """A pyproject.toml whose table has these lines."""
    return f"[tool.pgmatrix]\n{lines}\n"


def loaded(folder: Path, lines: str = "", environ: dict[str, str] | None = None, **options: Any) -> Config:
    """The configuration of a project with these lines in its table."""
    return load(a_project(folder, table(lines)), environ=environ or {}, options=options)


def test_an_empty_table_has_defaults_for_all(tmp_path: Path) -> None:
    """A table without any line gives every setting its default, and says so."""
    config = loaded(tmp_path)

    assert set(config.values) == {key.name for key in KEYS}
    assert set(config.origins.values()) == {"default"}
    assert [str(cell) for cell in config.matrix.cells] == [
        *("pg15-asyncpg", "pg15-psycopg", "pg16-asyncpg", "pg16-psycopg"),
    ]
    assert (config["provider"], config["start-timeout"], config["memory"]) == (ProviderName.AUTO, 60.0, True)


def test_later_sources_win(tmp_path: Path) -> None:
    """An option beats the environment, which beats the table, which beats the default."""
    line, environ = 'provider = "embedded"', {"PGMATRIX_PROVIDER": "container"}

    found = [
        loaded(tmp_path)["provider"],
        loaded(tmp_path, line)["provider"],
        loaded(tmp_path, line, environ)["provider"],
        loaded(tmp_path, line, environ, provider="external")["provider"],
    ]

    assert found == ["auto", "embedded", "container", "external"]


def test_each_source_is_remembered(tmp_path: Path) -> None:
    """`explain` prints a setting, its value and which source set it."""
    config = loaded(
        tmp_path,
        'postgres = [15, 18]\nimage = "x:{major}"\nextensions = ["vector", "uuid-ossp"]',
        {"PGMATRIX_STOCK": "4", "PGMATRIX_IMAGE": ""},
        provider="embedded",
    )

    lines = [config.explain(name) for name in ("postgres", "image", "extensions", "stock", "provider", "memory")]

    assert lines == [
        "postgres = 15, 18 ([tool.pgmatrix] postgres)",
        "image = x:{major} ([tool.pgmatrix] image)",
        "extensions = vector, uuid-ossp ([tool.pgmatrix] extensions)",
        "stock = 4 (environment PGMATRIX_STOCK)",
        "provider = embedded (option --pg-provider)",
        "memory = True (default)",
    ]


def test_an_empty_variable_and_an_absent_option_are_not_set(tmp_path: Path) -> None:
    """An environment variable without text and an option of None leave the table's value alone."""
    config = loaded(tmp_path, 'provider = "embedded"', {"PGMATRIX_PROVIDER": ""}, provider=None)

    assert config.origins["provider"] == "[tool.pgmatrix] provider"


def test_the_environment_may_give_lists_and_flags(tmp_path: Path) -> None:
    """Lists are separated by commas, flags are words, and blanks around items do not count."""
    environ = {"PGMATRIX_POSTGRES": "16, 18", "PGMATRIX_DRIVERS": "psycopg,", "PGMATRIX_MEMORY": "No"}

    config = loaded(tmp_path, "", environ)

    assert config.matrix.majors == (16, 18)
    assert config.matrix.drivers == (Driver.PSYCOPG,)
    assert config["memory"] is False


def test_tables_within_the_table_are_read(tmp_path: Path) -> None:
    """Layers, settings and coverage thresholds are read as they stand, in order, and cannot be changed."""
    config = loaded(
        tmp_path,
        'layers.b = ["x.py", "y/"]\nlayers.a = "z.py"\nsettings.work_mem = "64MB"\nsettings.jit = true\n'
        'coverage.total = 95\ncoverage."src/a.py" = 99.5',
    )

    assert dict(config.matrix.layers) == {"b": ("x.py", "y/"), "a": ("z.py",)}
    assert list(config.matrix.layers) == ["b", "a"]
    assert config["settings"] == {"work_mem": "64MB", "jit": "True"}
    assert config["coverage"] == {"total": 95.0, "src/a.py": 99.5}
    with pytest.raises(TypeError):
        config["coverage"]["total"] = 0


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('postgres = ["sixteen"]', "postgres = ['sixteen'] cannot be used: invalid literal for int()"),
        ("postgres = 16", "postgres = 16 cannot be used: a list is expected"),
        ("image = 3", "image = 3 cannot be used: text is expected"),
        ('memory = "maybe"', "memory = 'maybe' cannot be used: true or false is expected"),
        ("stock = -1", "stock = -1 cannot be used: a whole number, zero or more, is expected"),
        ("stock = 1.5", "stock = 1.5 cannot be used: a whole number, zero or more, is expected"),
        ("stock = true", "stock = True cannot be used: a whole number, zero or more, is expected"),
        ("start-timeout = 0", "start-timeout = 0 cannot be used: a number of seconds above zero is expected"),
        ("start-timeout = nan", "start-timeout = nan cannot be used: a number of seconds above zero is expected"),
        ("start-timeout = inf", "start-timeout = inf cannot be used: a number of seconds above zero is expected"),
        ("start-timeout = true", "start-timeout = True cannot be used: a number of seconds above zero is expected"),
        ("coverage.total = 101", "coverage = {'total': 101} cannot be used: percents from 0 to 100 are expected"),
        ("coverage.total = nan", "coverage = {'total': nan} cannot be used: percents from 0 to 100 are expected"),
        ("layers = 3", "layers = 3 cannot be used: 'int' object is not iterable"),
        ("settings = 3", "settings = 3 cannot be used: 'int' object is not iterable"),
    ],
)
def test_a_bad_value_is_refused_where_it_stands(tmp_path: Path, line: str, text: str) -> None:
    """A value of the wrong kind is an error that names its source, shows it, and says what is expected."""
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, line)

    name = line.partition(" ")[0].partition(".")[0]
    assert str(error.value).startswith(f"[tool.pgmatrix] {text}")
    assert error.value.do_next == f"correct [tool.pgmatrix] {name}, or leave it out"


@pytest.mark.parametrize(
    ("line", "environ", "text"),
    [
        (
            "",
            {"PGMATRIX_PROVIDER": "docker"},
            "unknown provider: docker (environment PGMATRIX_PROVIDER)\n"
            "  do    choose from auto, external, container, embedded",
        ),
        (
            'drivers = ["asyncpg", "pg8000"]',
            {},
            "unknown driver: pg8000 ([tool.pgmatrix] drivers)\n  do    choose from asyncpg, psycopg",
        ),
        (
            "",
            {"PGMATRIX_STOCK": "many"},
            "environment PGMATRIX_STOCK = 'many' cannot be used: invalid literal for int() with base 10: 'many'\n"
            "  do    correct environment PGMATRIX_STOCK, or leave it out",
        ),
        ("drivers = []", {}, "the matrix has no drivers\n  do    list at least one in [tool.pgmatrix] drivers"),
        ("postgres = []", {}, "the matrix has no postgres\n  do    list at least one in [tool.pgmatrix] postgres"),
        ("layers.rls = []", {}, "the layer rls has no files\n  do    name its test files, or leave it out"),
        (
            "",
            {"PGMATRIX_DSN_latest": "postgresql://h"},
            "environment variable PGMATRIX_DSN_latest names no PostgreSQL major\n"
            "  do    write PGMATRIX_DSN_16, for example",
        ),
    ],
)
def test_what_does_not_exist_is_refused(tmp_path: Path, line: str, environ: dict[str, str], text: str) -> None:
    """A name that does not exist is an error that says where it came from and what there is."""
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, line, environ)

    assert str(error.value) == text


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    """A setting nobody reads is an error, so that a misspelling is not silent."""
    with pytest.raises(UnknownName) as error:
        loaded(tmp_path, 'provder = "embedded"\nimages = "x"')

    assert error.value.wanted == "unknown setting in [tool.pgmatrix]: images, provder"
    assert error.value.do_next == f"choose from {', '.join(key.name for key in KEYS)}"


def test_an_unknown_variable_is_refused(tmp_path: Path) -> None:
    """A variable with our prefix that nobody reads is an error, and the others are listed."""
    with pytest.raises(UnknownName) as error:
        loaded(tmp_path, "", {"PGMATRIX_PROVDER": "x", "HOME": "y"})

    assert error.value.wanted == "unknown environment variable: PGMATRIX_PROVDER"
    assert "PGMATRIX_PROVIDER" in error.value.do_next
    assert "PGMATRIX_DSN_<major>" in error.value.do_next


def test_what_sessions_hand_on_is_no_setting_and_no_error(tmp_path: Path) -> None:
    """The variables of a run are accepted and set nothing."""
    config = loaded(tmp_path, "", dict.fromkeys(RUN_VARIABLES, "x"))

    assert set(config.origins.values()) == {"default"}


def test_dsns_are_read_by_major(tmp_path: Path) -> None:
    """PGMATRIX_DSN_<major> gives that major's server; an empty one gives none."""
    environ = {"PGMATRIX_DSN_16": "postgresql://a", "PGMATRIX_DSN_18": "postgresql://b", "PGMATRIX_DSN_15": ""}

    config = loaded(tmp_path, "", environ)

    assert dict(config.dsns) == {16: "postgresql://a", 18: "postgresql://b"}


def test_repr_shows_no_dsn(tmp_path: Path) -> None:
    """A configuration printed by accident tells no password."""
    config = loaded(tmp_path, "", {"PGMATRIX_DSN_16": "postgresql://u:s3cret@h/db"})

    assert "s3cret" not in repr(config)


def test_the_process_environment_is_read_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an environment given, that of the process counts."""
    monkeypatch.setenv("PGMATRIX_STOCK", "7")

    assert load(a_project(tmp_path))["stock"] == 7


@pytest.mark.parametrize("text", [None, "", "[tool.other]\n", "[tool]\npgmatrix = 3\n"])
def test_a_project_without_the_table_is_refused(tmp_path: Path, text: str | None) -> None:
    """Without a table there is nothing to load, and the error names the file it should be in."""
    if text is not None:
        a_project(tmp_path, text)

    with pytest.raises(ConfigError) as error:
        load(tmp_path, environ={})

    assert str(error.value) == (
        f"no [tool.pgmatrix] table in {tmp_path / 'pyproject.toml'}\n  do    add one; the README shows the smallest"
    )


def test_a_file_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    """A syntax error is an error of ours that names the file and the place in it."""
    a_project(tmp_path, "[tool.pgmatrix\n")

    with pytest.raises(ConfigError) as error:
        load(tmp_path, environ={})

    assert error.value.wanted.startswith(f"{tmp_path / 'pyproject.toml'} is not TOML: ")
    assert "line 1" in error.value.wanted
    assert error.value.do_next == "correct the line it names"


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are an error of ours that names the file."""
    (tmp_path / "pyproject.toml").write_bytes(b"x = '\xff'\n")

    with pytest.raises(ConfigError, match=r"pyproject\.toml is not TOML: 'utf-8' codec"):
        load(tmp_path, environ={})


def test_the_nearest_folder_with_a_table_is_the_root(tmp_path: Path) -> None:
    """The search goes up, past a pyproject.toml without the table, to the first that has it."""
    a_project(tmp_path, TABLE)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    a_project(tmp_path / "a", "[project]\nname = 'other'\n")

    assert find_root(inner) == tmp_path


def test_no_table_above_is_no_root(tmp_path: Path) -> None:
    """Where no folder above has a table there is no root, and no error."""
    a_project(tmp_path, "[project]\nname = 'other'\n")

    assert find_root(tmp_path) is None


def test_a_named_cell_of_the_matrix_is_taken(tmp_path: Path) -> None:
    """A cell that was asked for is taken, whatever is installed."""
    assert loaded(tmp_path).cell("pg15-psycopg", ()) == Cell.parse("pg15-psycopg")


def test_without_a_name_the_newest_major_and_first_installed_driver_are_taken(tmp_path: Path) -> None:
    """The default cell is the newest major on the first driver of the table that is installed."""
    config = loaded(tmp_path, "postgres = [18, 15]")

    assert config.cell(None, ALL) == Cell.parse("pg18-asyncpg")
    assert config.cell("", (Driver.PSYCOPG,)) == Cell.parse("pg18-psycopg")


def test_a_cell_outside_the_matrix_is_refused(tmp_path: Path) -> None:
    """A cell that the table does not have is an error that lists those it has."""
    with pytest.raises(UnknownName) as error:
        loaded(tmp_path, 'postgres = [16]\ndrivers = ["asyncpg"]').cell("pg17-asyncpg", ALL)

    assert str(error.value) == "pg17-asyncpg is not in the matrix\n  do    choose from pg16-asyncpg"


def test_no_installed_driver_is_refused(tmp_path: Path) -> None:
    """Without a driver there is no default cell, and the error says which to install."""
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path).cell(None, ())

    assert str(error.value) == (
        "no driver of the matrix is installed: asyncpg or psycopg\n  do    install one of them beside pytest"
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that every example writes over."""
    return tmp_path_factory.mktemp("shared")


@given(st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True))
def test_a_list_means_the_same_in_table_and_environment(shared: Path, majors: list[int]) -> None:
    """A list of majors is read alike from TOML and from a comma-separated variable."""
    folder = a_project(shared, table(f"postgres = {majors}"))
    joined = ",".join(map(str, majors))

    from_table = load(folder, environ={})
    from_environment = load(folder, environ={"PGMATRIX_POSTGRES": joined})

    assert from_table.matrix == from_environment.matrix
