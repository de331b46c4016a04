"""`python -m api.database`: the schema of the platform's Postgres, from a terminal. See docs/howto/database.md."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from api.database.migration import BASE, Database, MigrationError, Patience, history, sql
from api.database.revisions import HEAD, REVISIONS, state_of
from api.settings import Settings, SettingsError
from observability.logging import redacted
from serving.tools.command_line import (
    EXIT_FAILED,
    EXIT_OK,
    InputError,
    Parser,
    non_negative_number,
    positive_number,
    run,
    say,
)

PROG = "database"
NO_SCHEMA = "none"


def parser() -> argparse.ArgumentParser:
    cli = Parser(
        prog=f"python -m api.{PROG}",
        description="The schema of the Postgres that DATABASE_URL, of the environment or .env, names.",
        epilog="Exit codes: 0 done, 1 Postgres refused or cannot be reached, 2 bad input.",
    )
    cli.add_argument(
        "--timeout-s", type=positive_number, default=600.0, metavar="S", help="for all of it (%(default)g)"
    )
    cli.add_argument(
        "--lock-timeout-s",
        type=positive_number,
        default=5.0,
        metavar="S",
        help="for a table that others use, while they wait in turn (%(default)g)",
    )
    cli.add_argument(
        "--wait-s", type=non_negative_number, default=60.0, metavar="S", help="for another migration (%(default)g)"
    )
    # The gateway's own child: settings from the environment alone, and an end when its standard input ends.
    cli.add_argument("--for-gateway", action="store_true", help=argparse.SUPPRESS)
    commands = cli.add_subparsers(dest="command", required=True, metavar="COMMAND")
    upgrade = commands.add_parser("upgrade", help="to the newest schema, or to the one named")
    upgrade.add_argument("revision", nargs="?", default="head", type=_revision("head"), metavar="REV")
    upgrade.set_defaults(run=_upgrade)
    downgrade = commands.add_parser("downgrade", help="back to an older schema; drops what the newer ones hold")
    downgrade.add_argument("revision", type=_revision(BASE), metavar="REV", help="base: nothing is left")
    downgrade.add_argument("--yes", action="store_true", help="the data may go")
    downgrade.set_defaults(run=_downgrade)
    commands.add_parser("current", help="which schema the database has").set_defaults(run=_current)
    commands.add_parser("history", help="all schemas, the newest last").set_defaults(run=_history)
    written = commands.add_parser("sql", help="print what would be run; asks no database")
    written.add_argument("revision", nargs="?", default="head", type=_revision(BASE, "head"), metavar="REV")
    written.add_argument(
        "--from", dest="start", default=BASE, type=_revision(BASE, "head"), metavar="REV", help="(base)"
    )
    written.set_defaults(run=_sql)
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. Raises InputError."""
    options = parser().parse_args(arguments)
    watchdog = threading.Timer(options.timeout_s, _end, [f"not done after {options.timeout_s:g} s: given up"])
    watchdog.daemon = True
    watchdog.start()
    if options.for_gateway:
        threading.Thread(target=_end_with_standard_input, daemon=True).start()
    try:
        options.run(options)
    except MigrationError as error:
        say(f"{PROG}: {redacted(str(error))}", stream=sys.stderr)
        return EXIT_FAILED
    finally:
        watchdog.cancel()
    return EXIT_OK


def _upgrade(options: argparse.Namespace) -> None:
    move = _database(options).upgrade(options.revision)
    if move.before == move.after:
        say(f"{PROG}: schema {move.after} is there already")
    else:
        say(f"{PROG}: upgraded from {move.before or NO_SCHEMA} to {move.after}")


def _downgrade(options: argparse.Namespace) -> None:
    if not options.yes:
        raise InputError(f"going back to {options.revision} drops tables with all that is in them; say --yes to do it.")
    move = _database(options).downgrade(options.revision)
    if move.before == move.after:
        say(f"{PROG}: schema {move.after or NO_SCHEMA} is there already")
    else:
        say(f"{PROG}: went back from {move.before} to {move.after or NO_SCHEMA}")


def _current(options: argparse.Namespace) -> None:
    revision = _database(options).current()
    say(f"{revision or NO_SCHEMA} ({state_of(revision)}; this version has {HEAD})")


def _history(_: argparse.Namespace) -> None:
    for revision, subject in history():
        say(f"{revision} {subject}{' (head)' if revision == HEAD else ''}")


def _sql(options: argparse.Namespace) -> None:
    say(sql(options.revision, start=options.start).rstrip())


def _database(options: argparse.Namespace) -> Database:
    try:
        settings = Settings.load(env_file=None if options.for_gateway else Path(".env"))
    except SettingsError as error:
        raise InputError(str(error)) from error
    patience = Patience(statement_s=options.timeout_s, lock_s=options.lock_timeout_s, turn_s=options.wait_s)
    address = settings.stores.database_address
    return Database(address, patience=patience, on_step=lambda step: say(f"{PROG}: {step}"))


def _revision(*names: str) -> Callable[[str], str]:
    def known(text: str) -> str:
        if text not in (*names, *REVISIONS):
            raise argparse.ArgumentTypeError(
                f"there is no schema {text!r}: it is one of {', '.join((*names, *REVISIONS))}"
            )
        return text

    return known


def _end(reason: str) -> None:
    """At once: a Postgres that does not answer would not let go. It rolls back what was not committed."""
    with suppress(OSError):  # who listened may be gone
        os.write(sys.stderr.fileno(), f"{PROG}: {reason}\n".encode())
    os._exit(EXIT_FAILED)


def _end_with_standard_input() -> None:
    # Past `sys.stdin`, whose lock the end of the interpreter would want while this waits.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    _end("the gateway has ended")


if __name__ == "__main__":
    sys.exit(run(main, prog=PROG))
