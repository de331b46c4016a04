#!/bin/sh
# Prints the path of an Nginx that runs on this machine: the installed one, else the distribution's package, which is
# downloaded once and unpacked into .venv-nginx. Nothing is installed, so it needs no root.
set -eu
cd "$(dirname "$0")/.."

home=$PWD/.venv-nginx
binary=$home/nginx

say() { echo "nginx.sh: $*" >&2; }

fail() {
    say "$*"
    exit 1
}

# -e is from 1.19.5: without it an ordinary user cannot start Nginx, which opens /var/log/nginx/error.log first.
runs() { "$1" -e stderr -V >/dev/null 2>&1; }

found() {
    runs "$1" || return 1
    echo "$1"
    exit 0
}

# Where it may be beside the PATH, which for an ordinary user often lacks these.
beside=${NGINX_CANDIDATES-/usr/sbin/nginx /usr/local/sbin/nginx}
installed=$(command -v nginx || true)
for candidate in $installed $beside "$binary"; do
    [ ! -x "$candidate" ] || found "$candidate" || true
done

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
    fail "Nginx is missing, and there is no apt-get to download it with: install Nginx 1.20 or newer and put it on the PATH."
fi

# Two at once must not write one folder: the second waits, and then finds it done.
mkdir -p "$home"
if command -v flock >/dev/null 2>&1; then
    exec 9>"$home/lock"
    flock 9
    [ ! -x "$binary" ] || found "$binary" || true
fi

log=$home/download.log
root=$home/root
packages=$home/packages
rm -rf "$root" "$packages" "$binary"
mkdir -p "$root" "$packages"
: >"$log"

# Lists of its own: refreshing the machine's would need root. Made only if the machine's are missing or out of date.
own_lists="-o Dir::State::Lists=$home/lists -o Dir::Cache=$home/cache"
lists=

apt() {
    # shellcheck disable=SC2086  # $lists is several words
    (cd "$packages" && apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=2 $lists "$@") >>"$log" 2>&1
}

download() {
    apt download "$@" && return
    [ -z "$lists" ] || return 1
    mkdir -p "$home/lists/partial" "$home/cache/archives/partial"
    lists=$own_lists
    # One source that does not answer says nothing about the others.
    apt update || true
    apt download "$@"
}

unpack() {
    for package in "$packages"/*.deb; do
        dpkg-deb --extract "$package" "$root" >>"$log" 2>&1 || return 1
        mv "$package" "$package.unpacked"
    done
}

# Some releases have the program in nginx, some in one of the packages that nginx stands for.
fetch_program() {
    for package in nginx nginx-core nginx-light; do
        download "$package" && unpack && [ -x "$root/usr/sbin/nginx" ] && return
    done
    return 1
}

# What the loader does not find on this machine. The C library is never among it: a second one would not fit the first.
fetch_libraries() {
    needed=$(for package in "$packages"/*.unpacked; do dpkg-deb --field "$package" Depends; done | sed 's/[,|]/\n/g' |
        sed 's/(.*//; s/ //g' | grep '^\(lib\|zlib\)' | grep -v '^libc6$' | sort -u)
    # shellcheck disable=SC2086  # $needed is several words
    download $needed && unpack
}

write_wrapper() {
    libraries=$(find "$root" -name '*.so*' -exec dirname {} \; | sort -u | paste -sd :)
    printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$libraries" "$root/usr/sbin/nginx" >"$home/wrapper"
    chmod +x "$home/wrapper"
    # The name appears last, so that a broken-off run leaves nothing that looks finished.
    mv "$home/wrapper" "$binary"
}

say "Nginx is missing: downloading the distribution's package into .venv-nginx …"
fetch_program || fail "Nginx could not be downloaded, see $log: install it (apt-get install nginx) and try again."
if runs "$root/usr/sbin/nginx"; then
    ln -s root/usr/sbin/nginx "$binary"
else
    fetch_libraries || fail "The libraries that Nginx needs could not be downloaded, see $log: apt-get install nginx."
    write_wrapper
fi
rm -rf "$packages" "$home/lists" "$home/cache"
runs "$binary" || fail "The downloaded Nginx does not run: $("$binary" -V 2>&1 | head -n 1). Install it: apt-get install nginx."
echo "$binary"
