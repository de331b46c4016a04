"""Addresses that the clients would choke on later are refused; those that they take are left as they are."""

from __future__ import annotations

import re

import psycopg
import pytest
from redis import Redis

from api.store_addresses import checked_database_url, checked_redis_url

SECRET = "sesame"


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://h:6379/0",
        "rediss://user:pass%20word@redis.example:6380/12",
        "redis://:password@127.0.0.1:6379",
        "redis://[::1]:6379/0",
        "redis://h?db=3",
        "rediss://h/0?ssl_cert_reqs=none&ssl_ca_certs=/etc/ca.pem",
        "unix:///run/redis.sock",
        "unix://:password@/run/redis.sock?db=2",
    ],
)
def test_a_redis_url_that_the_client_takes(url: str) -> None:
    assert checked_redis_url(url) == url
    Redis.from_url(url)  # raises if it does not


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (SECRET, "must begin with redis://, rediss:// or unix://"),
        (f"http://{SECRET}", "must begin with"),
        (f"redis://:{SECRET}@h:notaport/0", "host or port is wrong"),
        (f"redis://:{SECRET}@h:99999/0", "host or port is wrong"),
        (f"redis://:{SECRET}@h:0/0", "port must be a number from 1 to 65535"),
        (f"redis://:{SECRET}/x@h/0", "host or port is wrong"),
        (f"redis://:{SECRET}@[::1/0", "host or port is wrong"),
        (f"redis://:{SECRET}@bad..host/0", "host is not a name that a machine can have"),
        (f"redis://:{SECRET}@{'a' * 64}/0", "host is not a name that a machine can have"),
        (f"redis://:{SECRET}@/0", "names no host"),
        ("redis://", "names no host"),
        (f"redis://:{SECRET} x@h/0", "holds a space or a control character"),
        (f"redis://:{SECRET}\t@h/0", "holds a space or a control character"),
        (f"redis://:{SECRET}@h/first", "the database must be a number"),
        (f"redis://:{SECRET}@h?db=first", "the database must be a number"),
        (f"redis://:{SECRET}@h/0?socket_timeout=abc", "of the options after '?' only db, client_name"),
        (f"redis://:{SECRET}@h/0?nothing=1", "of the options after '?' only db, client_name"),
        (f"unix://:{SECRET}@", "names no socket"),
    ],
)
def test_a_redis_url_that_is_wrong_is_a_sentence_without_it(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as refused:
        checked_redis_url(url)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:pass%20word@db.example:5432/platform?sslmode=require",
        "postgres://h",
        "postgresql://[::1]:5432/d",
        "postgresql://h1:5432,h2:5433/d",
        "postgresql:///d?host=/run/postgresql",
        "host=h port=5432 user=u password='two words' dbname=d",
    ],
)
def test_a_database_url_that_the_client_takes(url: str) -> None:
    assert checked_database_url(url) == url
    psycopg.conninfo.make_conninfo(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (SECRET, "must be such as postgresql://"),
        (f"mysql://u:{SECRET}@h/d", "must be such as postgresql://"),
        (f"postgresql://u:{SECRET}%zz@h/d", "must be such as postgresql://"),
        (f"postgresql://u:{SECRET}@h/d?nothing=1", "must be such as postgresql://"),
        (f"postgresql://u:{SECRET}@h:notaport/d", "port must be a number from 1 to 65535"),
        (f"postgresql://u:{SECRET}@h1:5432,h2:65536/d", "port must be a number from 1 to 65535"),
        (f"postgresql://u:{SECRET}@h:0/d", "port must be a number from 1 to 65535"),
        (f"host=h port=-1 password={SECRET}", "port must be a number from 1 to 65535"),
        (f"postgresql://u:{SECRET}@bad..host/d", "host is not a name that a machine can have"),
    ],
)
def test_a_database_url_that_is_wrong_is_a_sentence_without_it(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as refused:
        checked_database_url(url)
    assert SECRET not in str(refused.value)


def test_an_empty_address_is_none() -> None:
    assert checked_redis_url("") == checked_database_url("") == ""
