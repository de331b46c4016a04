#!/usr/bin/env bash
# The README's two commands and its curl lines, word for word, on a stack of this clone; then: nothing may run any more.
set -euo pipefail
cd "$(dirname "$0")/.."

finish() {
    make down >/dev/null
}
trap finish EXIT

# What a reader would copy: every command in the README's code blocks that starts with curl, with its continued lines.
curl_commands() {
    awk '
        /^```/ { in_block = !in_block; continued = 0; next }
        !in_block { next }
        { sub(/^\$ /, "") }
        continued || /^curl / {
            continued = /\\$/
            line = $0
            sub(/\\$/, "", line)
            printf "%s%s", line, continued ? "" : "\n"
        }
    ' README.md
}

make up

answered=0
streamed=0
while IFS= read -r command; do
    echo "README: $command"
    answer=$(bash -o pipefail -c "$command" </dev/null)
    case $answer in
        *'data: [DONE]'*) streamed=$((streamed + 1)) ;;
        *'"choices"'*) answered=$((answered + 1)) ;;
    esac
done < <(curl_commands)
if ((answered == 0 || streamed == 0)); then
    echo "README.md needs one curl line that is answered and one that is streamed; found $answered and $streamed." >&2
    exit 1
fi

make status
make down
trap - EXIT
# Every process of the stack runs a program from this clone's virtual environment.
if left=$(pgrep -a -f "^$PWD/\.venv/"); then
    printf 'Left running after make down:\n%s\n' "$left" >&2
    exit 1
fi
echo "The quick start works: $answered answered, $streamed streamed, nothing left running."
