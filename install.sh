#!/bin/sh
# Downloads a release of provision for this machine, checks its checksum, and puts the binary into a folder.
# Options: --to DIR (the folder), --version V (another release), --from URL (another place; %v is the version).
set -eu

# A release's own copy has both.
version=
from=

to="${XDG_BIN_HOME:-$HOME/.local/bin}"

fail() {
    echo "error: $1" >&2
    [ -z "${2:-}" ] || printf '\nhint: %s\n' "$2" >&2
    exit 1
}

value() {
    [ "$2" -ge 2 ] || fail "\`$1\` needs a value"
}

while [ $# -gt 0 ]; do
    case "$1" in
        --to) value "$1" $#; to=$2; shift 2 ;;
        --version) value "$1" $#; version=${2#v}; shift 2 ;;
        --from) value "$1" $#; from=$2; shift 2 ;;
        -h | --help) echo "usage: install.sh [--to DIR] [--version V] [--from URL]"; exit ;;
        *) fail "unknown option \`$1\`" "install.sh --to DIR --version V --from URL" ;;
    esac
done
[ -n "$version" ] || fail "no version is named" "add --version, or take the install.sh of a release"
case "$version" in *[!0-9A-Za-z.+-]*) fail "\`$version\` is no version" ;; *) ;; esac
[ -n "$from" ] || fail "it is not known where releases are" "add --from, or take the install.sh of a release"
from=$(printf '%s\n' "$from" | sed "s/%v/$version/g")

need() {
    for tool in "$@"; do
        if command -v "$tool" >/dev/null 2>&1; then
            echo "$tool"
            return
        fi
    done
    fail "none of these is installed: $*" "install one of them, or download the archive by hand from $from"
}

case "$(uname -s)" in
    Linux) system=unknown-linux-gnu ;;
    Darwin) system=apple-darwin ;;
    *) fail "there is no release for $(uname -s)" "on Windows take the archive, npm or pip; elsewhere: cargo install --path crates/cli --locked" ;;
esac
case "$(uname -m)" in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) fail "there is no release for $(uname -m)" "build it: cargo install --path crates/cli --locked" ;;
esac

downloader=$(need curl wget)
summer=$(need sha256sum shasum)
need tar >/dev/null
need gzip >/dev/null

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

download() {
    case "$downloader" in
        curl) curl --fail --silent --show-error --location --retry 3 --proto-redir =https --output "$folder/$1" "$from/$1" ;;
        wget) wget --quiet --output-document="$folder/$1" "$from/$1" ;;
    esac || fail "cannot download $from/$1" "check the version and the network; a proxy is taken from HTTPS_PROXY"
}

name="provision-$version-$machine-$system"
download SHA256SUMS
download "$name.tar.gz"
expected=$(sed -n "s/^\([0-9a-f]\{64\}\)  $name\.tar\.gz\$/\1/p" "$folder/SHA256SUMS")
[ -n "$expected" ] || fail "SHA256SUMS has no line for $name.tar.gz"
case "$summer" in
    sha256sum) found=$(sha256sum "$folder/$name.tar.gz") ;;
    shasum) found=$(shasum -a 256 "$folder/$name.tar.gz") ;;
esac
[ "${found%% *}" = "$expected" ] ||
    fail "the checksum of $name.tar.gz is ${found%% *}, not $expected: nothing was installed" "download it again; if it stays so, report it"

tar -xzf "$folder/$name.tar.gz" -C "$folder"
"$folder/$name/provision" --version >/dev/null || fail "the binary does not run on this machine: nothing was installed"
# Put in its place whole: another one may be running there.
{ mkdir -p "$to" && cp "$folder/$name/provision" "$to/.provision.new" && chmod 755 "$to/.provision.new" &&
    mv -f "$to/.provision.new" "$to/provision"; } || fail "cannot write to $to" "choose another folder: --to DIR"

echo "installed $("$to/provision" --version) in $to"
case ":$PATH:" in
    *":$to:"*) ;;
    *) echo "hint: add it to the path: export PATH=\"$to:\$PATH\"" ;;
esac
