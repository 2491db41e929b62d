# shellcheck shell=bash
# What `pants` and `.pants.bootstrap` share: messages, hashes, the cache's place, a Python.

# Some containers and services have no HOME; the password database has.
[[ -n ${HOME:-} ]] || HOME=~

# Prints a line for the person at the terminal; stdout belongs to Pants.
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

# Sets INSEAM_CACHE, the folder of everything that the launcher makes.
inseam_cache() {
  local LC_ALL=C home=${XDG_CACHE_HOME:-}
  # The XDG base directory specification has relative paths ignored.
  [[ $home == /* ]] || home=$HOME/.cache
  INSEAM_CACHE=$home/inseam
  # Pants opens the path of a file: URL as it stands in the URL, percent-encoded.
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

# Runs a program with the first CPython found of the Python versions $1, in that order of preference.
# That a file exists is not enough: a pyenv shim of a version that isn't selected exits 127.
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
