from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.embedded.nginx_topology import NginxTopology, Tls, TopologyError, topology_files

PLAIN = NginxTopology(
    edge="127.0.0.1:8000",
    gateways=["gateway-1:8001", "[::1]:8002"],
    inside="[::1]:8080",
    ray_ingresses=["10.0.0.7:8000"],
)


def test_every_file_of_a_plain_topology() -> None:
    files = topology_files(PLAIN)
    assert files["edge.conf"] == (
        "listen 127.0.0.1:8000 default_server;\nclient_max_body_size 10000000;\nproxy_read_timeout 630s;\n"
    )
    assert files["inside.conf"] == "listen [::1]:8080 default_server;\nproxy_read_timeout 630s;\n"
    assert files["upstreams.conf"] == (
        "upstream gateways {\n"
        "    zone gateways 64k;\n"
        "    server gateway-1:8001 max_fails=3 fail_timeout=10s;\n"
        "    server [::1]:8002 max_fails=3 fail_timeout=10s;\n"
        "    keepalive 128;\n"
        "    keepalive_timeout 60s;\n"
        "}\n"
        "upstream ray_ingress {\n"
        "    zone ray_ingress 64k;\n"
        "    server 10.0.0.7:8000 max_fails=2 fail_timeout=10s;\n"
        "    keepalive 128;\n"
        "    keepalive_timeout 60s;\n"
        "}\n"
        'access_log "/dev/stdout" json_lines;\n'
    )


def test_what_may_be_added() -> None:
    tls = Tls(certificate=Path("/etc/a certificate.pem"), key=Path("/etc/key.pem"))
    files = topology_files(
        replace(
            PLAIN,
            tls=tls,
            trusted_proxies=["10.0.0.0/8", "2001:db8::/32"],
            access_log=None,
            max_body_bytes=5,
            silence_s=7,
            eject_s=2,
        )
    )
    edge = files["edge.conf"].splitlines()
    assert edge[0] == "listen 127.0.0.1:8000 ssl default_server;"
    assert "client_max_body_size 5;" in edge
    assert 'ssl_certificate "/etc/a certificate.pem";' in edge
    assert 'ssl_certificate_key "/etc/key.pem";' in edge
    assert edge[-2:] == ["set_real_ip_from 10.0.0.0/8;", "set_real_ip_from 2001:db8::/32;"]
    assert "proxy_read_timeout 7s;" in files["inside.conf"]
    assert "proxy_read_timeout 7s;" in edge
    assert files["upstreams.conf"].count("fail_timeout=2s") == 3
    assert "access_log off;" in files["upstreams.conf"]
    assert "ssl" not in files["inside.conf"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("edge", "8000", "edge: '8000' is no host:port with a port between 1 and 65535"),
        ("edge", "127.0.0.1:0", "edge: '127.0.0.1:0' is no host:port"),
        ("inside", "127.0.0.1:65536", "inside: '127.0.0.1:65536' is no host:port"),
        ("inside", "::1:8080", "inside: '::1:8080' is no host:port"),
        ("gateways", ["a:1; include /etc/passwd"], "gateways: 'a:1; include /etc/passwd' is no host:port"),
        ("gateways", ["good:1", "a b:1"], "gateways: 'a b:1' is no host:port"),
        ("gateways", ["a:1\n"], "gateways: 'a:1\\n' is no host:port"),
        ("gateways", [], "gateways is empty: name at least one host:port"),
        ("ray_ingresses", [], "ray_ingresses is empty: name at least one host:port"),
        ("ray_ingresses", ["$host:1"], "ray_ingresses: '$host:1' is no host:port"),
        ("trusted_proxies", ["all"], "trusted_proxies: 'all' is no address and no network"),
        ("trusted_proxies", ["10.0.0.0/8; x"], "trusted_proxies: '10.0.0.0/8; x' is no address"),
        ("max_body_bytes", 0, "max_body_bytes is 0: at least 1"),
        ("silence_s", 0, "silence_s is 0: between 1 and 86400"),
        ("eject_s", 3601, "eject_s is 3601: between 1 and 3600"),
    ],
)
def test_a_value_that_would_break_the_configuration_is_named(field: str, value: object, message: str) -> None:
    with pytest.raises(TopologyError) as caught:
        replace(PLAIN, **{field: value})  # type: ignore[arg-type]  # wrong on purpose
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("path", ['/a"b', "/a\\b", "/a$b", "/a\nb"])
def test_a_path_that_cannot_be_quoted_is_refused(path: str) -> None:
    with pytest.raises(TopologyError, match="holds a quote, a backslash, a dollar sign or a control character"):
        topology_files(replace(PLAIN, access_log=Path(path)))
