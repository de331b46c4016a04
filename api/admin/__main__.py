"""`python -m api.admin`: the admin API of a running gateway, from a terminal.

See docs/reference/admin-api.md. Each group of commands is a module that adds its parser and offers its answers.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import sys
from collections.abc import Sequence
from typing import Any

import uvloop

from api.admin import cache_commands, limit_commands, reconcile_command, tenant_commands, usage_commands
from api.admin.gateway import AdminClient, Refused, Unreachable, key_that_headers_can_carry
from api.settings import Settings, SettingsError
from serving.tools.command_line import (
    EXIT_FAILED,
    EXIT_OK,
    InputError,
    Parser,
    positive_number,
    read_secret,
    run,
    say,
)

PROG = "admin"
MAX_ACTOR_CHARS = 100


def parser() -> argparse.ArgumentParser:
    cli = Parser(
        prog=f"python -m api.{PROG}",
        description="The admin API of a running gateway; its key is ADMIN_API_KEY, of the environment or .env.",
        epilog="Exit codes: 0 done, 1 the gateway refused or cannot be reached, 2 bad input.",
    )
    cli.add_argument("--url", help="of the gateway (default: GATEWAY_HOST and GATEWAY_PORT)")
    cli.add_argument("--key-file", metavar="FILE|-", help="a file whose first line is the key; - is standard input")
    cli.add_argument("--timeout-s", type=positive_number, default=30.0, metavar="S", help="(%(default)s)")
    cli.add_argument("--json", action="store_true", help="print the gateway's answer as it is")
    cli.add_argument("--actor", type=_actor, default=_login(), help="your name in the audit log (%(default)s)")
    cli.set_defaults(note=_nothing, exit_code=_ok)
    groups = cli.add_subparsers(dest="group", required=True, metavar="GROUP")
    for module in (tenant_commands, limit_commands, usage_commands, reconcile_command, cache_commands):
        module.add_to(groups)
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. Raises InputError."""
    options = parser().parse_args(arguments)
    try:
        settings = Settings.load()
    except SettingsError as error:
        raise InputError(str(error)) from error
    key = read_secret(options.key_file, option="--key-file") or settings.admin.admin_api_key.get_secret_value()
    if not key:
        raise InputError("there is no key: set ADMIN_API_KEY as the gateway has it, or give --key-file.")
    client = AdminClient(
        url=options.url or _own_gateway(settings),
        key=key_that_headers_can_carry(key),
        timeout_s=options.timeout_s,
        actor=options.actor,
    )
    try:
        answer: Any = uvloop.run(options.ask(client, options))
    except (Refused, Unreachable) as error:
        say(f"{PROG}: {error}", stream=sys.stderr)
        return EXIT_FAILED
    say(json.dumps(answer, indent=1, ensure_ascii=False) if options.json else options.show(answer))
    if not options.json and (note := options.note(answer)):
        say(note, stream=sys.stderr)
    return int(options.exit_code(answer))


def _nothing(_: Any) -> str:
    return ""


def _ok(_: Any) -> int:
    return EXIT_OK


def _actor(name: str) -> str:
    if len(name) > MAX_ACTOR_CHARS or not name.isprintable():
        raise argparse.ArgumentTypeError(f"a name has {MAX_ACTOR_CHARS} printable characters at the most")
    return name


def _login() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user that nobody has named
        return ""


def _own_gateway(settings: Settings) -> str:
    host = settings.gateway.gateway_host
    if host in ("0.0.0.0", "::"):  # where it listens, which is nothing to connect to
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.gateway.gateway_port}"


if __name__ == "__main__":
    sys.exit(run(main, prog=PROG))
