"""Where an Nginx listens and what stands behind it, as the files of the folder `topology/` beside nginx.conf."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Host and port, as Nginx takes both in `listen` and in `server`: a name, an IPv4 or a bracketed IPv6 address.
_ADDRESS = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", re.ASCII)
_NETWORK = re.compile(r"[0-9A-Fa-f:.]+(?:/\d{1,3})?", re.ASCII)
# What would end a quoted string of Nginx's configuration, or begin a variable in it.
_UNQUOTABLE = re.compile(r"[\"\\$\x00-\x1f]")


class TopologyError(ValueError):
    """A value that Nginx's configuration cannot hold; the message names the field and what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files: the certificate with its chain, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxTopology:
    """One Nginx: `edge` for clients in front of `gateways`, `inside` for gateways in front of `ray_ingresses`.

    All addresses are `host:port`, IPv6 as `[::1]:8000`. Names are looked up when Nginx starts or reloads, and must
    resolve then.
    """

    edge: str
    gateways: Sequence[str]
    inside: str
    ray_ingresses: Sequence[str]
    max_body_bytes: int = 10_000_000
    """The gateways' MAX_BODY_BYTES."""
    silence_s: int = 630
    """Seconds without a byte after which a request has failed. Above the gateways' REQUEST_TIMEOUT_S (the longest,
    where models differ): an answer that is not streamed is silent until its end."""
    eject_s: int = 10
    """Seconds without requests for a node that has failed; then it gets one, to see."""
    access_log: Path | None = Path("/dev/stdout")
    """None: no access log."""
    tls: Tls | None = None
    """For the edge; None: plain HTTP."""
    trusted_proxies: Sequence[str] = ()
    """Addresses or networks of load balancers in front of the edge, whose X-Forwarded-For is believed."""

    def __post_init__(self) -> None:
        for field in ("edge", "inside"):
            _check_address(field, getattr(self, field))
        for field in ("gateways", "ray_ingresses"):
            if not getattr(self, field):
                raise TopologyError(f"{field} is empty: name at least one host:port")
            for address in getattr(self, field):
                _check_address(field, address)
        for network in self.trusted_proxies:
            if not _NETWORK.fullmatch(network):
                raise TopologyError(f"trusted_proxies: {network!r} is no address and no network such as 10.0.0.0/8")
        if self.max_body_bytes < 1:
            raise TopologyError(f"max_body_bytes is {self.max_body_bytes}: at least 1")
        if not 1 <= self.silence_s <= 86_400:
            raise TopologyError(f"silence_s is {self.silence_s}: between 1 and 86400")
        if not 1 <= self.eject_s <= 3_600:
            raise TopologyError(f"eject_s is {self.eject_s}: between 1 and 3600")


def topology_files(topology: NginxTopology) -> dict[str, str]:
    """Name in `topology/` -> text. Raises TopologyError for a path that cannot be written there."""
    access_log = "off" if topology.access_log is None else f"{_quoted(topology.access_log)} json_lines"
    upstreams = [
        # One crash of one worker process says little about a gateway.
        *_upstream("gateways", topology.gateways, limits=f"max_fails=3 fail_timeout={topology.eject_s}s"),
        *_upstream("ray_ingress", topology.ray_ingresses, limits=f"max_fails=2 fail_timeout={topology.eject_s}s"),
        f"access_log {access_log};",
    ]
    edge = [
        f"listen {topology.edge} {'ssl ' if topology.tls else ''}default_server;",
        f"client_max_body_size {topology.max_body_bytes};",
        f"proxy_read_timeout {topology.silence_s}s;",
        *_tls(topology.tls),
        *_real_ip(topology.trusted_proxies),
    ]
    inside = [
        f"listen {topology.inside} default_server;",
        f"proxy_read_timeout {topology.silence_s}s;",
    ]
    texts = {"upstreams.conf": upstreams, "edge.conf": edge, "inside.conf": inside}
    return {name: "\n".join(lines) + "\n" for name, lines in texts.items()}


def _upstream(name: str, addresses: Sequence[str], *, limits: str) -> list[str]:
    return [
        f"upstream {name} {{",
        f"    zone {name} 64k;",  # workers share what they know of a node
        *(f"    server {address} {limits};" for address in addresses),
        "    keepalive 128;",
        "    keepalive_timeout 60s;",  # below the 75 s of gateways and the 90 s of Ray's ingress
        "}",
    ]


def _tls(tls: Tls | None) -> list[str]:
    if tls is None:
        return []
    return [
        f"ssl_certificate {_quoted(tls.certificate)};",
        f"ssl_certificate_key {_quoted(tls.key)};",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_session_cache shared:tls:4m;",
        "ssl_session_tickets off;",
    ]


def _real_ip(trusted_proxies: Sequence[str]) -> list[str]:
    if not trusted_proxies:
        return []
    # From the right, the first address that is none of ours: what a client wrote itself stands further left.
    lines = ["real_ip_header X-Forwarded-For;", "real_ip_recursive on;"]
    return lines + [f"set_real_ip_from {network};" for network in trusted_proxies]


def _check_address(field: str, address: str) -> None:
    match = _ADDRESS.fullmatch(address)
    if match is None or not 1 <= int(match[1]) <= 65_535:
        raise TopologyError(f"{field}: {address!r} is no host:port with a port between 1 and 65535")


def _quoted(path: Path) -> str:
    if _UNQUOTABLE.search(str(path)):
        raise TopologyError(f"{str(path)!r} holds a quote, a backslash, a dollar sign or a control character")
    return f'"{path}"'
