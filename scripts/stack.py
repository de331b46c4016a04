"""The embedded stack's commands, behind `make up`, `status`, `logs`, `down` and `clean`."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from api.settings import SettingsError, load_embedded_settings
from scripts.embedded import lifecycle
from scripts.embedded.embedding_model import prepare_embedding_model
from scripts.embedded.engine_environment import prepare_engine
from scripts.embedded.gateways import gateway_addresses
from scripts.embedded.lifecycle import StackError
from scripts.embedded.plan import build_stages, database_address
from scripts.embedded.probes import first_not_ready, missing_schema
from scripts.embedded.processes import ProcessIdentity
from scripts.embedded.ray_server import serve_logs
from scripts.embedded.report import StartProgress, changed_settings, status_table, welcome
from scripts.embedded.service import ServiceError
from scripts.embedded.stack_ports import Ports, PortTakenError, choose_ports
from scripts.embedded.stack_settings import StackSettings, load_stack_settings, resolve_data_dir
from scripts.embedded.state import Phase, StackState
from scripts.embedded.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 failed with one sentence on standard error."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except SettingsError as error:
        print(f"Settings: {error}", file=sys.stderr)
    except (StackError, PortTakenError, ServiceError) as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
    return 1


def up(options: argparse.Namespace) -> int:
    """Start the stack, wait until it is ready, say how to reach it."""
    stack = _load(options)
    with lifecycle.exclusive(stack.data_dir):
        state = lifecycle.settled(stack.data_dir)
        if state is not None:
            print(f"The platform runs already: {state.base_url}")
            if changed := changed_settings(before=state.settings, now=stack.digests()):
                print(f"Changed since it was started: {', '.join(changed)}. Run `make down up` to apply.")
            return 0
        say = partial(print, flush=True)
        prepare_engine(stack, say=say)
        prepare_embedding_model(stack, say=say)
        began = time.monotonic()
        state = lifecycle.start(stack, waiting=StartProgress(say, clock=time.monotonic))
    print(welcome(stack, base_url=state.base_url, took_s=time.monotonic() - began))
    return 0


def down(options: argparse.Namespace) -> int:
    """Stop everything; data are kept."""
    data_dir = _data_dir(options)
    if not data_dir.exists():
        print("Nothing runs.")
        return 0
    with lifecycle.exclusive(data_dir):
        stopped = lifecycle.stop(data_dir)
    print(f"Stopped. Data are kept in {data_dir}" if stopped else "Nothing runs.")
    return 0


def status(options: argparse.Namespace) -> int:
    """What runs, and whether it answers. Exit status 1 when not all is well."""
    data_dir = _data_dir(options)
    state = StackState.read(data_dir)
    if state is None:
        print("Nothing runs.")
        return 1
    text, healthy = status_table(state, data_dir=data_dir, now=time.time())
    print(text)
    return 0 if healthy else 1


def logs(options: argparse.Namespace) -> int:
    """The last lines of one log or of all."""
    data_dir = _data_dir(options)
    folder = data_dir / "logs"
    files = sorted(folder.glob(f"{options.service or '*'}.log"))
    if options.service in {None, "ray"}:
        files += serve_logs(data_dir / "ray")
    if not files:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.log")))
        raise StackError(f"There is no log {options.service or ''} in {folder}; there are: {known or 'none'}.")
    tail = shutil.which("tail")
    if tail is None:
        raise StackError(f"`tail` is missing; the logs are in {folder}")
    sys.stdout.flush()
    os.execv(tail, [tail, "-n", str(options.lines), *(["-F"] if options.follow else []), *map(str, files)])  # noqa: S606  # no shell wanted


def clean(options: argparse.Namespace) -> int:
    """Stop everything and delete the data."""
    data_dir = _data_dir(options)
    down(options)
    lifecycle.remove_data(data_dir)
    print(f"Deleted {data_dir}")
    return 0


def supervise(options: argparse.Namespace) -> int:
    """The background process behind `up`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stack = _load(options)
    identity = ProcessIdentity.of(os.getpid())
    if identity is None:
        raise StackError("This process cannot see itself: is /proc mounted?")
    ports = choose_ports(stack)
    stages = build_stages(stack, ports)
    services = [service for stage in stages for service in stage]
    supervisor = Supervisor(
        stages,
        state=StackState(
            phase=Phase.STARTING,
            supervisor=identity,
            host=stack.host,
            gateway_port=stack.settings.gateway.gateway_port,
            settings=stack.digests(),
            start_timeout_s=sum(service.start_timeout_s for service in services),
            stop_timeout_s=sum(service.stop_timeout_s for service in services),
        ),
        data_dir=stack.data_dir,
        not_ready_reason=partial(_not_ready_reason, stack, ports),
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stop())
    return 0 if supervisor.run() else 1


def _not_ready_reason(stack: StackSettings, ports: Ports) -> str:
    """Of the first gateway that is not ready, or of a database that one of them has still to migrate."""
    gateways = [(gateway.host, gateway.port) for gateway in gateway_addresses(stack.settings, ports)]
    if (reason := first_not_ready(gateways)) or not stack.settings.tenants.database_migrate:
        return reason
    return missing_schema(database_address(stack, ports))


def _load(options: argparse.Namespace) -> StackSettings:
    return load_stack_settings(root=ROOT, env_file=options.env_file)


def _data_dir(options: argparse.Namespace) -> Path:
    # This group alone: a stack must be stoppable while another setting is wrong.
    return resolve_data_dir(load_embedded_settings(options.env_file), root=ROOT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack", description=__doc__)
    parser.add_argument("--env-file", type=Path, default=ROOT / ".env", help="settings below the environment's")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (up, status, down, clean, supervise):
        commands.add_parser(command.__name__, help=command.__doc__).set_defaults(run=command)
    logs_parser = commands.add_parser("logs", help=logs.__doc__)
    logs_parser.add_argument("service", nargs="?", help="a service of `status`, or supervisor")
    logs_parser.add_argument("--follow", action="store_true")
    logs_parser.add_argument("--lines", type=int, default=50)
    logs_parser.set_defaults(run=logs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
