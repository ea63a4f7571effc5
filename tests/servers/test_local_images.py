"""The local test images behave like the public PostgreSQL images: environment, user, port, init files."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pgmatrix.servers.container.engine import Engine

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]

IMAGES = {major: f"pgvector/pgvector:pg{major}" for major in (15, 16)}


def docker(*arguments: str, check: bool = True) -> str:
    found = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert found.returncode == 0 or not check, found.stderr
    return (found.stdout + found.stderr).strip()


class Container:
    """A container of an image, with what a test asks of it."""

    def __init__(self, image: str, *options: str) -> None:
        self.name = f"image-test-{secrets.token_hex(6)}"
        docker("run", "-d", "--name", self.name, *options, image)

    def sql(self, statement: str, *options: str) -> str:
        """The answer over TCP, where the temporary server of a first start is not to be found."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            command = ["psql", "-h", "127.0.0.1", "-Atc", statement, *options]
            answer = docker("exec", "-e", "PGPASSWORD=secret", self.name, *command, check=False)
            if "Connection refused" not in answer and "is starting up" not in answer:
                break
            time.sleep(0.1)
        return answer


@pytest.fixture(params=IMAGES, ids=str)
def image(request: pytest.FixtureRequest) -> str:
    """The image of a major."""
    return IMAGES[request.param]


@pytest.fixture
def run(image: str) -> Iterator[Any]:
    """Runs containers that are removed at the end."""
    made: list[Container] = []

    def start(*options: str) -> Container:
        made.append(Container(image, *options))
        return made[-1]

    yield start
    for container in made:
        docker("rm", "-f", "-v", container.name)


def test_configuration(docker_engine: Engine, image: str) -> None:
    """Port, volume, stop signal, entry point and command are those of the public images."""
    facts = docker_engine.image(image)
    assert facts is not None
    config = facts["Config"]

    assert list(config["ExposedPorts"]) == ["5432/tcp"]
    assert list(config["Volumes"]) == ["/var/lib/postgresql/data"]
    assert config["StopSignal"] == "SIGINT"
    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    assert config["Cmd"] == ["postgres"]


def test_user_database_and_arguments(run: Any) -> None:
    """User, database and initdb arguments are taken; the server is process 1 and not root."""
    container = run(
        *("-e", "POSTGRES_USER=me", "-e", "POSTGRES_PASSWORD=secret", "-e", "POSTGRES_DB=mine"),
        *("-e", "POSTGRES_INITDB_ARGS=--data-checksums --locale=en_US.utf8"),
    )
    sql = "select current_user, current_database(), current_setting('data_checksums')"
    answer = container.sql(f"{sql}, datcollate from pg_database where datname = 'mine'", "-U", "me", "mine")
    owner = docker("exec", container.name, "stat", "-c", "%u", "/proc/1")

    assert answer == "me|mine|on|en_US.utf8"
    assert owner == "999"


def test_password_from_outside(run: Any) -> None:
    """A connection from another address needs the password."""
    container = run("-e", "POSTGRES_PASSWORD=secret")
    container.sql("select 1", "-U", "postgres")
    rules = docker("exec", container.name, "tail", "-n", "1", "/var/lib/postgresql/data/pg_hba.conf")

    assert rules == "host all all all scram-sha-256"


def test_init_files(run: Any, tmp_path: Path) -> None:
    """Scripts and SQL files of the init folder are run, in order, before the server can be reached."""
    (tmp_path / "1.sql").write_text("create table made (n int)")
    (tmp_path / "2.sh").write_text('psql -U "$POSTGRES_USER" -c "insert into made values (7)"\n')
    tmp_path.chmod(0o755)
    container = run("-e", "POSTGRES_PASSWORD=secret", "-v", f"{tmp_path}:/docker-entrypoint-initdb.d:ro")

    assert container.sql("select n from made", "-U", "postgres") == "7"


def test_no_password(run: Any) -> None:
    """Without a password nothing is initialised, and the container says which variable is missing."""
    container = run()
    code = docker("wait", container.name)

    assert code == "1"
    assert "superuser password is not specified" in docker("logs", container.name)


def test_extensions(run: Any) -> None:
    """The extensions vector and uuid-ossp can be created and used, trust lets anyone in who asks for it."""
    container = run("-e", "POSTGRES_HOST_AUTH_METHOD=trust")
    container.sql('create extension vector; create extension "uuid-ossp"', "-U", "postgres")
    sql = "select '[1,2]'::vector <-> '[1,2]', uuid_generate_v5(uuid_ns_dns(), 'python.org')"

    assert container.sql(sql, "-U", "postgres") == "0|886313e1-3b8a-5372-9b90-0c9aee199e5d"


def test_labelled(docker_engine: Engine, image: str) -> None:
    """An image that was built here carries the fingerprint of its recipe."""
    facts = docker_engine.image(image)

    assert facts is not None
    assert len(facts["Config"]["Labels"]["org.pgmatrix.test-image"]) == 16
