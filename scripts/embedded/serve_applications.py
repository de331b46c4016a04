"""Ray Serve's applications through the REST interface of the head: what `serve deploy` and `serve status` use."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.embedded.probes import http_status
from scripts.embedded.service import ServiceError

_HOST = "127.0.0.1"
_PATH = "/api/serve/applications/"
_STATUS_TIMEOUT_S = 5.0
# The first deployment of a new head also starts Serve's controller and its ingress.
_DEPLOY_TIMEOUT_S = 120.0
_POLL_S = 0.2
_RUNNING, _FAILED, _HEALTHY = "RUNNING", "DEPLOY_FAILED", "HEALTHY"


class ServeUnreachableError(RuntimeError):
    """The head does not answer, or refuses; the message says how."""


class HeadGoneError(ServeUnreachableError):
    """Nobody listens any more."""


@dataclass(frozen=True, kw_only=True)
class ServeApplications:
    """The applications of one Ray head. `token_file` holds Ray's access token."""

    dashboard_port: int
    ingress_port: int
    token_file: Path

    def answers(self) -> bool:
        """Whether the head takes deployments."""
        try:
            self._call("GET", timeout_s=_STATUS_TIMEOUT_S)
        except ServeUnreachableError:
            return False
        return True

    def problem(self) -> str:
        """Empty when every application runs and is reached through the ingress, else what is wrong on one line."""
        try:
            return "; ".join(self._problems(self._applications()))
        except ServeUnreachableError as error:
            return str(error)

    def deploy(self, config: Mapping[str, Any], *, timeout_s: float, log_file: Path) -> None:
        """Declare `config` (what a Serve config file holds) and wait until all its applications run.

        Raises ServiceError when one of them failed, after `timeout_s`, and at once when the head goes away.
        """
        deadline = time.monotonic() + timeout_s
        names = {application["name"] for application in config["applications"]}
        try:
            self._call("PUT", config, timeout_s=_DEPLOY_TIMEOUT_S)
        except ServeUnreachableError as error:
            raise ServiceError(f"ray could not be told what to serve: {error}, see {log_file}") from None
        while problem := self._awaited(names, log_file=log_file):
            if time.monotonic() >= deadline:
                raise ServiceError(f"ray did not serve after {timeout_s:g} s: {problem}, see {log_file}")
            time.sleep(_POLL_S)

    def _awaited(self, names: set[str], *, log_file: Path) -> str:
        """What is still waited for. Raises ServiceError when waiting is of no use."""
        try:
            applications = self._applications()
        except HeadGoneError as error:
            raise ServiceError(f"ray ended while its applications started: {error}, see {log_file}") from None
        except ServeUnreachableError as error:
            return str(error)  # a head that has its hands full answers later
        problems = self._problems(applications)
        if any(application.get("status") == _FAILED for application in applications.values()):
            raise ServiceError(f"ray could not serve {'; '.join(problems)}, see {log_file}")
        missing = [f"{name}: not there yet" for name in sorted(names - applications.keys())]
        return "; ".join([*problems, *missing])

    def _problems(self, applications: Mapping[str, Mapping[str, Any]]) -> list[str]:
        return [*filter(None, (self._problem(name, one) for name, one in sorted(applications.items())))]

    def _problem(self, name: str, application: Mapping[str, Any]) -> str:
        if application["status"] != _RUNNING:
            return " ".join(f"{name}: {application['status']} {_reason(application)}".split())
        # The ingress learns of a new replica a bit later than the controller.
        path = f"{(application.get('route_prefix') or '/').rstrip('/')}/v1/models"
        status, said = http_status(host=_HOST, port=self.ingress_port, path=path)
        return "" if status == http.HTTPStatus.OK else f"{name}: the ingress answers {status or said}"

    def _applications(self) -> dict[str, dict[str, Any]]:
        applications: dict[str, dict[str, Any]] = self._call("GET", timeout_s=_STATUS_TIMEOUT_S)["applications"]
        return applications

    def _call(self, method: str, body: Mapping[str, Any] | None = None, *, timeout_s: float) -> Any:
        connection = http.client.HTTPConnection(_HOST, self.dashboard_port, timeout=timeout_s)
        try:
            headers = {
                "Authorization": f"Bearer {self.token_file.read_text(encoding='ascii')}",
                "Content-Type": "application/json",
            }
            connection.request(method, _PATH, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            if response.status != http.HTTPStatus.OK:
                raise ServeUnreachableError(f"the Ray head answers {response.status}: {' '.join(text.split())[:500]}")
            return json.loads(text) if method == "GET" else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            kind = HeadGoneError if isinstance(error, ConnectionRefusedError) else ServeUnreachableError
            reason = str(error) or type(error).__name__
            raise kind(f"no answer from the Ray head on port {self.dashboard_port}: {reason}") from error
        finally:
            connection.close()


def _reason(application: Mapping[str, Any]) -> str:
    """The application's own words, and how those of its deployments end: a traceback has its sentence there."""
    deployments = application.get("deployments", {}).values()
    messages = [str(one.get("message") or "").strip() for one in deployments if one.get("status") != _HEALTHY]
    causes = [message.splitlines()[-1] for message in messages if message]
    return " ".join([str(application.get("message") or ""), *causes])
