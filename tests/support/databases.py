"""Databases for tests: an SQLite file always, and a schema of its own on a PostgreSQL server where there is one."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

GIVEN = os.environ.get("VIDNB_TEST_POSTGRES_URL")
"""Read on import, as no test sees a variable of vidnb."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a server: VIDNB_TEST_POSTGRES_URL, else one that is started in a temporary folder."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    if GIVEN:
        yield GIVEN
        return
    check_server_is_here("neither VIDNB_TEST_POSTGRES_URL nor initdb and pg_ctl")
    with own_server() as server:
        yield server.url


def check_server_is_here(why: str = "no initdb and pg_ctl") -> None:
    """Skip the test where there is no PostgreSQL that it could start."""
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        pytest.skip(f"no PostgreSQL: {why}")


class Server:
    """A PostgreSQL server on a Unix socket, to be started and stopped. It refuses to run as root, so there it runs as
    the user postgres."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.url = f"postgresql://postgres@/postgres?host={folder}"

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder} -c fsync=off"
        self._control("-o", options, "-l", str(self._folder / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._control("-m", mode, "-w", "stop")

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), *words)

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, user=self._user, cwd=self._folder, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def own_server() -> Iterator[Server]:
    """A started server in a temporary folder, which is stopped and gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="vidnb-pg-"))
    try:
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/vidnb.db"
        return
    with schema_on(request.getfixturevalue("postgres_server")) as url:
        yield url


@contextlib.contextmanager
def schema_on(server_url: str) -> Iterator[str]:
    """The address of an empty schema on a PostgreSQL server; it is gone afterwards."""
    server = make_url(server_url).set(drivername="postgresql+psycopg")
    schema = f"vidnb_{uuid.uuid4().hex}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    try:
        url = server.update_query_dict({"options": f"-csearch_path={schema}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        engine.dispose()
