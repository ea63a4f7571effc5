"""pgmatrix's SQL-language `uuid-ossp` against Python's `uuid` module, on a real server.

Refuses to know how the server came to be: `query(sql, *args)` runs one statement (`%s` placeholders) on a
database in which `CREATE EXTENSION "uuid-ossp"` has succeeded, and returns the rows as a list of tuples.
"""

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

Query = Callable[..., list[tuple[object, ...]]]

NAMESPACES = {
    "uuid_ns_dns": uuid.NAMESPACE_DNS,
    "uuid_ns_url": uuid.NAMESPACE_URL,
    "uuid_ns_oid": uuid.NAMESPACE_OID,
    "uuid_ns_x500": uuid.NAMESPACE_X500,
}
ALPHABETS = {
    "ascii": "abcXYZ 019-._~'\"\\%",
    "two bytes": "éßЖאñ",
    "three bytes": "漢€ह\u200d",
    "non-BMP": "😀𝔘𐍈🧬",
    "mixed": "a é 漢 😀 \t\n\u0301",
}
SEED = 20090725
# A SHA-1 block holds 64 bytes, 9 of them are spoken for in the last one, and the namespace is 16 bytes long:
# the number of blocks changes with the name's 40th, 104th, 168th... byte.
EDGES = [
    0,
    1,
    15,
    16,
    *range(38, 42),
    47,
    48,
    *range(54, 58),
    *range(62, 66),
    *range(102, 106),
    *range(118, 122),
    168,
]
SIGNATURES = """
    SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile,
           p.proisstrict, p.proparallel
    FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND e.extname = 'uuid-ossp'
"""
CONTRIB = {
    ("uuid_nil", "", "uuid", "i", True, "s"),
    ("uuid_ns_dns", "", "uuid", "i", True, "s"),
    ("uuid_ns_url", "", "uuid", "i", True, "s"),
    ("uuid_ns_oid", "", "uuid", "i", True, "s"),
    ("uuid_ns_x500", "", "uuid", "i", True, "s"),
    ("uuid_generate_v1", "", "uuid", "v", True, "s"),
    ("uuid_generate_v1mc", "", "uuid", "v", True, "s"),
    ("uuid_generate_v3", "namespace uuid, name text", "uuid", "i", True, "s"),
    ("uuid_generate_v4", "", "uuid", "v", True, "s"),
    ("uuid_generate_v5", "namespace uuid, name text", "uuid", "i", True, "s"),
}


def seeded_names() -> Iterator[str]:
    """Every edge length in ASCII, then names of each alphabet with 0 to 200 characters."""
    yield from ("x" * length for length in EDGES)
    source = random.Random(SEED)
    for alphabet in ALPHABETS.values():
        for _ in range(200):
            yield "".join(source.choices(alphabet, k=source.randrange(201)))


def generated(query: Query, function: str, namespace: uuid.UUID, names: list[str]) -> list[str]:
    """What the server makes of the names, in their order, as text."""
    rows = query(
        f"SELECT {function}(%s::uuid, name)::text FROM unnest(%s::text[]) WITH ORDINALITY AS n(name, place)"
        " ORDER BY place",
        str(namespace),
        names,
    )
    return [str(row[0]) for row in rows]


@pytest.mark.parametrize(
    ("function", "reference"), [("uuid_generate_v3", uuid.uuid3), ("uuid_generate_v5", uuid.uuid5)]
)
@pytest.mark.parametrize("namespace", [*NAMESPACES.values(), uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)], ids=str)
def test_named_uuids_equal_python(
    query: Query, function: str, reference: Callable[[uuid.UUID, str], uuid.UUID], namespace: uuid.UUID
) -> None:
    """Named UUIDs equal Python's for empty, ASCII and multi-byte names on both sides of each block's end."""
    names = list(seeded_names())

    assert generated(query, function, namespace, names) == [str(reference(namespace, n)) for n in names], SEED


def test_long_name_equals_python(query: Query) -> None:
    """A name of 100,000 bytes, 1,563 blocks of SHA-1, gets Python's UUID."""
    name = "0123456789" * 10_000

    assert generated(query, "uuid_generate_v5", uuid.NAMESPACE_URL, [name]) == [
        str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    ]


@pytest.mark.parametrize(("function", "constant"), [*NAMESPACES.items(), ("uuid_nil", uuid.UUID(int=0))])
def test_constants(query: Query, function: str, constant: uuid.UUID) -> None:
    """The name spaces and the nil UUID are those of the standard."""
    assert query(f"SELECT {function}()::text") == [(str(constant),)]


@pytest.mark.parametrize(
    ("function", "version"), [("uuid_generate_v1", 1), ("uuid_generate_v1mc", 1), ("uuid_generate_v4", 4)]
)
def test_generated_uuids_are_distinct_and_marked(query: Query, function: str, version: int) -> None:
    """A thousand UUIDs of one statement all differ and carry their version and the RFC's variant."""
    made = [uuid.UUID(str(row[0])) for row in query(f"SELECT {function}()::text FROM generate_series(1, 1000)")]

    assert len(set(made)) == 1000
    assert {(value.version, value.variant) for value in made} == {(version, uuid.RFC_4122)}


@pytest.mark.parametrize("function", ["uuid_generate_v1", "uuid_generate_v1mc"])
def test_time_based_uuids_tell_the_time_and_no_network_card(query: Query, function: str) -> None:
    """A version 1 UUID holds the server's clock, between two readings of it, and a multicast node."""
    rows = query(f"SELECT clock_timestamp(), {function}()::text, clock_timestamp()")
    before, text, after = rows[0]
    value = uuid.UUID(str(text))
    moment = datetime(1582, 10, 15, tzinfo=UTC) + timedelta(microseconds=value.time // 10)

    assert isinstance(before, datetime)
    assert isinstance(after, datetime)
    assert before <= moment <= after
    assert value.node >> 40 & 1 == 1


def test_signatures_equal_contrib(query: Query) -> None:
    """The extension holds contrib's ten functions, with their arguments and labels, and nothing else."""
    assert set(query(SIGNATURES)) == CONTRIB


@pytest.mark.parametrize("function", ["uuid_generate_v3", "uuid_generate_v5"])
def test_named_uuids_are_strict(query: Query, function: str) -> None:
    """A NULL namespace or name gives NULL."""
    assert query(f"SELECT {function}(NULL, 'x'), {function}(uuid_ns_dns(), NULL)") == [(None, None)]


def test_it_says_whose_it_is(query: Query) -> None:
    """The extension's comment tells that this is not contrib's code; its version is contrib's."""
    rows = query(
        "SELECT extversion, extrelocatable, obj_description(oid, 'pg_extension') FROM pg_extension"
        " WHERE extname = 'uuid-ossp'"
    )

    assert rows == [
        (
            "1.1",
            True,
            "universally unique identifiers (UUIDs): pgmatrix's SQL-language implementation, not contrib's",
        )
    ]


def test_a_foreign_search_path_changes_nothing(query: Query) -> None:
    """Moved to a schema that nobody searches, with impostors searched first, the results stay Python's."""
    try:
        query("CREATE SCHEMA hidden")
        query("CREATE SCHEMA impostor")
        query('ALTER EXTENSION "uuid-ossp" SET SCHEMA hidden')
        query("CREATE FUNCTION impostor.length(bytea) RETURNS integer LANGUAGE SQL RETURN 0")
        query("CREATE FUNCTION impostor.md5(bytea) RETURNS text LANGUAGE SQL RETURN 'no digest'")
        query("SET search_path = impostor, pg_catalog")

        assert query("SELECT hidden.uuid_generate_v3(hidden.uuid_ns_dns(), 'a')::text") == [
            (str(uuid.uuid3(uuid.NAMESPACE_DNS, "a")),)
        ]
        assert query("SELECT hidden.uuid_generate_v5(hidden.uuid_ns_dns(), 'a')::text") == [
            (str(uuid.uuid5(uuid.NAMESPACE_DNS, "a")),)
        ]
    finally:
        query("RESET search_path")
        query('ALTER EXTENSION "uuid-ossp" SET SCHEMA public')
        query("DROP SCHEMA impostor CASCADE")
        query("DROP SCHEMA hidden CASCADE")


def test_indexes_and_materialised_views_may_use_it(query: Query) -> None:
    """An expression index, a generated column and a refreshed materialised view can be built on it."""
    try:
        query(
            "CREATE TABLE named (name text, id uuid GENERATED ALWAYS AS (uuid_generate_v5(uuid_ns_url(), name)) STORED)"
        )
        query(
            "CREATE INDEX named_v5 ON named (uuid_generate_v5(uuid_ns_dns(), name), uuid_generate_v3(uuid_nil(), name))"
        )
        query("INSERT INTO named VALUES ('a'), ('b')")
        query("CREATE MATERIALIZED VIEW listed AS SELECT uuid_generate_v5(uuid_ns_dns(), name)::text AS id FROM named")
        query("INSERT INTO named VALUES ('c')")
        query("REFRESH MATERIALIZED VIEW listed")
        query("REINDEX TABLE named")

        assert {row[0] for row in query("SELECT id FROM listed")} == {
            str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) for name in "abc"
        }
        assert query("SELECT id::text FROM named WHERE name = 'a'") == [(str(uuid.uuid5(uuid.NAMESPACE_URL, "a")),)]
    finally:
        query("DROP TABLE IF EXISTS named CASCADE")
