# shellcheck shell=bash
# Functions for `pants` and `.pants.bootstrap`: messages, hashes, the cache, finding a Python.

# Some containers and services do not set HOME; the password database has it.
[[ -n ${HOME:-} ]] || HOME=~

# Prints a line for the user to stderr; stdout belongs to Pants.
inseam_say() {
  printf 'pants: %s\n' "$*" >&2
}

# Ends the launch with a message.
inseam_die() {
  inseam_say "$@"
  exit 1
}

# Prints the first 16 hex digits of the SHA-256 of stdin.
inseam_hash() {
  local sum
  if type -P sha256sum >/dev/null; then sum=$(sha256sum); else sum=$(shasum -a 256); fi
  printf '%s' "${sum:0:16}"
}

# Sets INSEAM_CACHE, the folder for everything that the launcher creates.
inseam_cache() {
  local LC_ALL=C home=${XDG_CACHE_HOME:-}
  # The XDG base directory specification says to ignore relative paths.
  [[ $home == /* ]] || home=$HOME/.cache
  INSEAM_CACHE=$home/inseam
  # Pants opens the path of a file: URL as it is written in the URL, percent-encoded.
  [[ $INSEAM_CACHE != *[!A-Za-z0-9._/@+,:=~%-]* ]] ||
    inseam_die "Pants cannot read files below $home: the path contains a space or another" \
      "character that URLs encode. Set XDG_CACHE_HOME to a path without such characters and run" \
      "the same command again."
}

# Sets $1 to the version that the lock file $2 pins for the distribution $3.
inseam_pinned() {
  local line
  while IFS= read -r line; do
    case $line in
      "$3=="*)
        line=${line#*==}
        printf -v "$1" %s "${line%% *}"
        return
        ;;
    esac
  done <"$2"
  inseam_die "$2 does not pin $3. Add a line $3==VERSION with its hashes."
}

# Runs a program with the first CPython found of the versions $1, in that order of preference.
# Each candidate is run, because a pyenv shim for a version that is not selected exits with 127.
inseam_python() {
  local versions=$1 version candidate
  shift
  for version in $versions; do
    while IFS= read -r candidate; do
      if [[ -x $candidate ]] && "$candidate" -E -s -c '
import sys
sys.exit(sys.implementation.name != "cpython" or "%d.%d" % sys.version_info[:2] != sys.argv[1])
' "$version" >/dev/null 2>&1 </dev/null; then
        "$candidate" -B -E -s "$@"
        return
      fi
    done < <(
      type -aP "python$version"
      printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version"*/bin/"python$version"
    )
  done
  version=${versions%% *}
  inseam_die "no working CPython $version was found on PATH or among pyenv's versions. Install" \
    "one (Debian and Ubuntu: apt-get install python$version python$version-venv; macOS: brew" \
    "install python@$version; anywhere: pyenv install $version) and run the same command again."
}
