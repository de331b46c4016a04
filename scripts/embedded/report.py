"""What the stack's commands tell people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from api.settings import Environment
from scripts.embedded.passwords import stored_secret
from scripts.embedded.postgres_server import postgres_url
from scripts.embedded.probes import answers_http, answers_postgres, answers_redis, not_ready_reason
from scripts.embedded.ray_server import serve_applications
from scripts.embedded.stack_settings import StackSettings
from scripts.embedded.state import ServicePhase, ServiceState, StackState

_QUESTION = '{"messages": [{"role": "user", "content": "What does continuous batching do?"}]}'
# Starts that take longer than this are worth a word to who waits.
_QUICK_START_S = 60.0
_FIRST_WORD_S, _WORD_EVERY_S = 3.0, 15.0
_COLUMNS = "{:<10} {:>8} {:>6}  {:<19} {:>8}  {}"


def welcome(stack: StackSettings, *, base_url: str, took_s: float) -> str:
    """How to reach a stack that was just started. Only a development key is shown."""
    production = stack.settings.gateway.environment is Environment.PRODUCTION
    key = "$API_KEY" if production else next(iter(stack.settings.keys.tenants_by_key()))
    shown = "one of API_KEYS" if production else key
    return "\n".join(
        [
            f"The platform is ready, after {took_s:.1f} s.",
            f"  base URL  {base_url}",
            f"  API key   {shown}",
            "  try       curl " + f"{base_url}/chat/completions -H 'Authorization: Bearer {key}' "
            f"-H 'Content-Type: application/json' -d '{_QUESTION}'",
            "  then      make status, make logs, make down",
        ]
    )


class StartProgress:
    """Says now and then what is waited for, of the services that may take long."""

    def __init__(self, say: Callable[[str], None], *, clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._began = clock()
        self._next_s = _FIRST_WORD_S

    def __call__(self, state: StackState) -> None:
        waited_s = self._clock() - self._began
        slow = [service.name for service in state.services if _starts_slowly(service)]
        if not slow or waited_s < self._next_s:
            return
        self._next_s = waited_s + _WORD_EVERY_S
        self._say(f"Starting {', '.join(slow)}: {waited_s:.0f} s so far; `make logs SERVICE={slow[0]}` shows more …")


def _starts_slowly(service: ServiceState) -> bool:
    return service.phase is ServicePhase.STARTING and service.start_timeout_s > _QUICK_START_S


def changed_settings(*, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names of the settings whose digests differ, sorted."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def status_table(state: StackState, *, data_dir: Path, now: float) -> tuple[str, bool]:
    """One line for each process, and whether all is well."""
    supervised = state.supervisor.is_alive()
    lines = [_COLUMNS.format("SERVICE", "PID", "PORT", "UP SINCE", "RESTARTS", "HEALTH")]
    healthy = supervised
    for service in state.services:
        health = _health(service, state=state, data_dir=data_dir)
        healthy = healthy and health == "ok"
        lines.append(_line(service, health=health, now=now))
    supervisor = str(state.supervisor.pid) if supervised else "-"
    since = datetime.fromtimestamp(state.supervisor.created_at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    health = state.phase.value if supervised else "dead: nothing is restarted; run `make up`"
    lines.append(_COLUMNS.format("supervisor", supervisor, "-", since, "-", health))
    if state.message:
        lines.append(state.message)
    lines.append(f"base URL  {state.base_url}")
    return "\n".join(lines), healthy


def _line(service: ServiceState, *, health: str, now: float) -> str:
    alive = service.process is not None and service.process.is_alive()
    pid = str(service.process.pid) if service.process is not None and alive else "-"
    since = datetime.fromtimestamp(min(service.started_at, now)).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return _COLUMNS.format(service.name, pid, service.port, since if alive else "-", service.restarts, health)


def _health(service: ServiceState, *, state: StackState, data_dir: Path) -> str:
    """`ok`, or what is wrong."""
    if service.process is None or not service.process.is_alive():
        return service.last_exit or "not started"
    if service.phase is ServicePhase.STARTING:
        # A part of it may answer already: a Ray head does before it has been told what to serve.
        return "starting"
    if service.name.startswith("gateway"):
        # Behind Nginx they listen on loopback, whatever address Nginx has.
        host = state.host if service.name == "gateway" else "127.0.0.1"
        return not_ready_reason(host=host, port=service.port) or "ok"
    if service.name == "ray":
        return serve_applications(data_dir / "ray", ingress_port=service.port).problem() or "ok"
    if service.name == "redis":
        answers = answers_redis(port=service.port, password=stored_secret(data_dir / "redis" / "password"))
    elif service.name == "postgres":
        answers = answers_postgres(postgres_url(directory=data_dir / "postgres", port=service.port))
    else:
        path = "/-/nginx" if service.name == "nginx" else "/health"
        answers = answers_http(host="127.0.0.1", port=service.port, path=path)
    return "ok" if answers else f"does not answer: see {service.log_file}"
