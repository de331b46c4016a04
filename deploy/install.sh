#!/bin/sh
# Inside an image's build: installs what REQUIREMENTS pins into /opt/venv, from ./wheelhouse where that was filled for
# this very file, else from PyPI, and compiles it. pip and setuptools go again: what runs installs nothing. A setuptools
# that is pinned stays, for PyTorch imports it where there are GPUs. VENV: in place of /opt/venv.
set -eu
requirements=$1
venv=${VENV:-/opt/venv}
unneeded="pip setuptools"
if grep -q '^setuptools==' "$requirements"; then unneeded=pip; fi

if [ "$(sha256sum "$requirements" | cut -d' ' -f1)" = "$(cut -d' ' -f1 wheelhouse/requirements.sha256 2>/dev/null)" ]; then
    export PIP_NO_INDEX=1 PIP_FIND_LINKS=/build/wheelhouse
fi
"$venv/bin/pip" install --only-binary :all: --require-hashes --requirement "$requirements"
"$venv/bin/pip" uninstall --yes --quiet $unneeded
python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$venv/lib"
