"""The matrix: one spelling of cells and sessions, expansion in the table's order, selection, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgmatrix.errors import ConfigError, UnknownName
from pgmatrix.matrix import Cell, Driver, Matrix, Session, parse_drivers

MATRIX = Matrix(
    majors=(15, 16),
    drivers=(Driver.ASYNCPG, Driver.PSYCOPG),
    layers={"rls": ("tests/test_rls.py",), "audit": ("tests/audit/", "tests/test_chain.py")},
)
cells = st.builds(Cell, major=st.integers(1, 99), driver=st.sampled_from(Driver))
layers = st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True)


def test_a_cell_is_spelled_one_way() -> None:
    """A cell is pg, its major, a dash and its driver."""
    assert str(Cell(major=16, driver=Driver.ASYNCPG)) == "pg16-asyncpg"


@given(cells)
def test_a_cell_survives_its_spelling(cell: Cell) -> None:
    """Reading what a cell is spelled as gives the cell."""
    assert Cell.parse(str(cell)) == cell


@given(cells, layers)
def test_a_session_survives_its_spelling(cell: Cell, layer: str) -> None:
    """Reading what a session is spelled as gives the session."""
    session = Session(cell=cell, layer=layer)

    assert Session.parse(str(session)) == session


@pytest.mark.parametrize(
    "text",
    [
        *("", "pg16", "16-asyncpg", "pg016-asyncpg", "pg0-asyncpg", "pg100-asyncpg", "pg16-", "pg16-mysql"),
        *("PG16-asyncpg", "pg16-asyncpg ", "pg16-asyncpg\n", "pg16_asyncpg", "pg١٦-asyncpg"),
    ],
)
def test_what_is_not_a_cell_is_refused(text: str) -> None:
    """Any other spelling is an error that shows the right one and the drivers there are."""
    with pytest.raises(UnknownName) as error:
        Cell.parse(text)

    assert str(error.value) == (
        f"{text!r} is not a cell\n  do    write pgMAJOR-DRIVER, such as pg16-asyncpg; drivers: asyncpg, psycopg"
    )


@pytest.mark.parametrize("text", ["", "rls", "pg16-asyncpg-", "pg16-asyncpg-RLS", "pg16-asyncpg-1rls"])
def test_what_is_not_a_session_is_refused(text: str) -> None:
    """A session without a proper layer is an error that shows the right spelling."""
    with pytest.raises(UnknownName) as error:
        Session.parse(text)

    assert "is not a" in str(error.value)
    assert "such as pg16-asyncpg" in str(error.value)


def test_a_session_of_no_cell_is_refused() -> None:
    """A session whose cell is misspelled is refused for the cell."""
    with pytest.raises(UnknownName, match="'pg16-oracle' is not a cell"):
        Session.parse("pg16-oracle-rls")


def test_tags_select_by_major_driver_cell_and_layer() -> None:
    """A session answers to its major, its driver, its cell and its layer."""
    assert Session.parse("pg16-asyncpg-rls").tags == ("pg16", "asyncpg", "pg16-asyncpg", "rls")


def test_cells_are_ordered_by_number_not_by_letter() -> None:
    """PostgreSQL 9 comes before 15."""
    assert sorted([Cell.parse("pg15-asyncpg"), Cell.parse("pg9-psycopg")])[0].major == 9


def test_expansion_is_in_the_order_of_the_table() -> None:
    """Sessions go by major, then driver, then layer, each in the table's order."""
    names = [str(session) for session in MATRIX.sessions]

    assert names == [
        *("pg15-asyncpg-rls", "pg15-asyncpg-audit", "pg15-psycopg-rls", "pg15-psycopg-audit"),
        *("pg16-asyncpg-rls", "pg16-asyncpg-audit", "pg16-psycopg-rls", "pg16-psycopg-audit"),
    ]
    assert [str(cell) for cell in MATRIX.cells] == ["pg15-asyncpg", "pg15-psycopg", "pg16-asyncpg", "pg16-psycopg"]


@given(
    st.lists(st.sampled_from(MATRIX.majors)),
    st.lists(st.sampled_from(["asyncpg", "psycopg"])),
    st.lists(st.sampled_from(list(MATRIX.layers))),
)
def test_selection_is_what_trying_every_session_gives(majors: list[int], drivers: list[str], names: list[str]) -> None:
    """A session is selected if and only if it meets every criterion that is not empty, and the order is kept."""
    wanted = tuple(
        session
        for session in MATRIX.sessions
        if (not majors or session.cell.major in majors)
        and (not drivers or session.cell.driver.value in drivers)
        and (not names or session.layer in names)
    )

    assert MATRIX.select(majors=majors, drivers=drivers, layers=names) == wanted


@given(st.data())
def test_a_matrix_expands_to_distinct_sessions_that_read_back(data: st.DataObject) -> None:
    """Any matrix has majors times drivers times layers sessions, all different, all readable from their spelling."""
    majors = data.draw(st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True))
    drivers = data.draw(st.lists(st.sampled_from(Driver), min_size=1, unique=True))
    names = data.draw(st.lists(layers, max_size=4, unique=True))
    matrix = Matrix(majors=tuple(majors), drivers=tuple(drivers), layers={name: (f"{name}.py",) for name in names})

    sessions = matrix.sessions

    assert len(set(sessions)) == len(majors) * len(drivers) * len(names)
    assert tuple(Session.parse(str(one)) for one in sessions) == sessions


@pytest.mark.parametrize(
    ("criterion", "text"),
    [
        ({"majors": [15, 17]}, "unknown PostgreSQL major: 17\n  do    choose from 15, 16"),
        ({"drivers": ["pg8000"]}, "unknown driver: pg8000\n  do    choose from asyncpg, psycopg"),
        ({"layers": ["rsl", "x"]}, "unknown layer: rsl, x\n  do    choose from rls, audit"),
    ],
)
def test_selecting_what_does_not_exist_is_refused(criterion: dict[str, list[object]], text: str) -> None:
    """A criterion that nothing can meet is an error that lists what there is."""
    with pytest.raises(UnknownName) as error:
        MATRIX.select(**criterion)  # type: ignore[arg-type]

    assert str(error.value) == text


@pytest.mark.parametrize(
    ("path", "layer"),
    [
        ("tests/test_rls.py", "rls"),
        ("tests/audit/test_a.py", "audit"),
        ("tests/audit/deep/test_b.py", "audit"),
        ("tests/test_chain.py", "audit"),
        ("tests/auditor/test_c.py", None),
        ("tests/test_rls.pyc", None),
    ],
)
def test_a_file_belongs_to_the_layer_that_holds_it(path: str, layer: str | None) -> None:
    """A layer holds its files and all below its folders, and nothing whose name only begins alike."""
    assert MATRIX.layer_of(path) == layer


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"majors": ()}, "the matrix has no postgres\n  do    list at least one in [tool.pgmatrix] postgres"),
        ({"drivers": ()}, "the matrix has no drivers\n  do    list at least one in [tool.pgmatrix] drivers"),
        ({"majors": (15, 15)}, "the matrix lists postgres twice: 15, 15\n  do    list each once"),
        ({"majors": (0,)}, "0 is no PostgreSQL major\n  do    write a number such as 16"),
        ({"majors": (160014,)}, "160014 is no PostgreSQL major\n  do    write a number such as 16"),
        ({"layers": {"a-b": ("x",)}}, "'a-b' cannot name a layer\n  do    use a-z, 0-9 and _, a letter first"),
        ({"layers": {"rls": ()}}, "the layer rls has no files\n  do    name its test files, or leave it out"),
    ],
)
def test_an_impossible_matrix_is_refused(changes: dict[str, object], text: str) -> None:
    """What cannot be expanded, spelled or run is refused when the matrix is made."""
    values: dict[str, object] = {"majors": (16,), "drivers": (Driver.ASYNCPG,), "layers": {"rls": ("x",)}}

    with pytest.raises(ConfigError) as error:
        Matrix(**{**values, **changes})  # type: ignore[arg-type]

    assert str(error.value) == text


def test_no_drivers_are_no_drivers() -> None:
    """An empty list of drivers is read as none, never as all."""
    assert parse_drivers([]) == ()
