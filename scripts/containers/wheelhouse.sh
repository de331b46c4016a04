#!/usr/bin/env bash
# Fills deploy/wheelhouse with the wheels that requirements-gateway.txt pins, fetched by this machine's own pip and
# its settings (mirror, proxy, certificates), so that `docker compose build` needs no network. The build checks
# every wheel against the hashes in requirements-gateway.txt.
#
#   wheelhouse.sh [PYTHON]    PYTHON is a Python 3.11 with pip; default .venv/bin/python, else python3.11
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly FOLDER=deploy/wheelhouse
readonly STAMP=$FOLDER/requirements.sha256

python=${1:-.venv/bin/python}
[[ -x $python ]] || python=python3.11
command -v "$python" >/dev/null || {
    echo "wheelhouse.sh: python3.11 is missing: install it." >&2
    exit 1
}

if sha256sum --check --status "$STAMP" 2>/dev/null; then
    echo "$FOLDER is up to date."
    exit
fi
rm -f "$FOLDER"/*.whl "$STAMP"
# Without environment markers: the image's Python may be of another patch level than this one, and judges them itself.
sed -E 's/ *;[^\\]*/ /' requirements-gateway.txt >"$FOLDER/unconditional.txt"
"$python" -m pip download --quiet --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
    --dest "$FOLDER" --requirement "$FOLDER/unconditional.txt"
sha256sum requirements-gateway.txt >"$STAMP"
echo "Downloaded $(find "$FOLDER" -name '*.whl' | wc -l) wheels to $FOLDER."
