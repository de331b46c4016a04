#!/bin/sh
# Inside an image's build: installs what REQUIREMENTS pins into /opt/venv, from ./wheelhouse where that was filled for
# this very file, else from PyPI, and compiles it. pip and setuptools go again: what runs installs nothing.
set -eu
requirements=$1

if [ "$(sha256sum "$requirements" | cut -d' ' -f1)" = "$(cut -d' ' -f1 wheelhouse/requirements.sha256 2>/dev/null)" ]; then
    export PIP_NO_INDEX=1 PIP_FIND_LINKS=/build/wheelhouse
fi
/opt/venv/bin/pip install --only-binary :all: --require-hashes --requirement "$requirements"
/opt/venv/bin/pip uninstall --yes --quiet pip setuptools
python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib
