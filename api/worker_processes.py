"""The parent of the worker processes: it starts them, replaces those that die, and ends them."""

from __future__ import annotations

from uvicorn.config import STARTUP_FAILURE
from uvicorn.server import Server
from uvicorn.supervisors import multiprocess

from api.draining_server import DrainingServer


class _Worker(multiprocess.Process):
    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = DrainingServer(self.config)
        return self._server


# The one place where uvicorn says what its workers are.
multiprocess.Process = _Worker  # type: ignore[misc]


class WorkerProcesses(multiprocess.Multiprocess):
    def terminate_all(self) -> None:
        # The workers stop listening, but while this process holds the socket the kernel goes on to accept: clients
        # would wait, until the last stream has ended, for an answer that nobody is going to give.
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    @property
    def failed_to_start(self) -> bool:
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)
