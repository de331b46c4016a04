#!/bin/sh
# Makes .venv hold what requirements-$1.txt pins (core or dev); does nothing when it does.
set -eu
cd "$(dirname "$0")/.."

kind=$1
requirements=requirements-$kind.txt
python=${PYTHON:-python3.11}
venv=.venv

fail() {
    echo "$*" >&2
    exit 1
}

# Two commands at once must not write one environment: the second waits, and then finds it done.
if command -v flock >/dev/null 2>&1; then
    exec 9>.venv.lock
    flock 9
fi

# A copy of what was installed is the stamp; a venv whose Python is gone does not count.
if cmp -s "$requirements" "$venv/$requirements" && "$venv/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    command -v "$python" >/dev/null 2>&1 || fail "$python is missing: install Python 3.11" \
        "(Debian: apt-get install python3.11 python3.11-venv) or set PYTHON to where it is."
    "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
        fail "$python is not Python 3.11: set PYTHON to one that is."
    "$python" -m venv --clear "$venv" >/dev/null ||
        fail "$python cannot make a virtual environment: install its venv module (Debian: apt-get install python3.11-venv)."
fi

echo "Installing $requirements into $venv …"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-input --quiet --only-binary :all: \
    --require-hashes -r "$requirements" >"$venv/install.log" 2>&1 || {
    tail -n 5 "$venv/install.log" >&2
    fail "Installing $requirements failed: see $venv/install.log"
}

# The development set holds the core set in the same versions.
[ "$kind" = core ] || cp requirements-core.txt "$venv/"
cp "$requirements" "$venv/"
