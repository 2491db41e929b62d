# shellcheck shell=bash
# Finds the Docker Engine for `.pants.bootstrap`. If there is none, Pants skips Docker images.

# Sets INSEAM_ARGS to the arguments of Pants, if they are known. The official launcher sources this
# file in `bash -c '... exec launcher "$0" "$@"' ARGS`, where $0 is the first argument. Early
# versions pass no arguments; then $0 is bash.
inseam_args() {
  INSEAM_ARGS=("$@")
  if [[ -n ${BASH_EXECUTION_STRING:-} && ${0##*/} != bash ]]; then INSEAM_ARGS=("$0" "$@"); fi
}

# Reads the arguments: sets INSEAM_DOCKER_GOAL if a goal may involve images (or the goals are not
# known), INSEAM_IMAGE to the first image that is named, and INSEAM_OTHERS if other targets are.
inseam_read_args() {
  local arg
  INSEAM_DOCKER_GOAL='' INSEAM_IMAGE='' INSEAM_OTHERS=''
  for arg; do
    case $arg in
      --) break ;;
      -*) ;;
      package | test | publish | run) INSEAM_DOCKER_GOAL=$arg ;;
      *'#image') INSEAM_IMAGE=${INSEAM_IMAGE:-$arg} ;;
      *'#'*) ;;
      *) INSEAM_OTHERS=$arg ;;
    esac
  done
  if (($# == 0)); then INSEAM_DOCKER_GOAL=unknown; fi
}

# Runs a command without output, and fails if it takes longer than $1 hundredths of a second.
inseam_within() {
  local hundredths=$1 pid
  shift
  "$@" >/dev/null 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if ((hundredths-- == 0)); then
      kill "$pid"
      return 124
    fi
    sleep 0.01
  done
  wait "$pid"
}

# Sets INSEAM_NO_DOCKER to the reason why no Docker Engine can be used, or to "" if one responds. In
# the usual case, a local socket, this costs one small request; otherwise it runs the client. Also
# sets INSEAM_DOCKER_CONTEXT to the client's context, if one is selected.
inseam_find_engine() {
  local socket=/var/run/docker.sock config=${DOCKER_CONFIG:-$HOME/.docker}/config.json context=''
  INSEAM_NO_DOCKER='' INSEAM_DOCKER_CONTEXT=''
  if [[ ${INSEAM_DOCKER:-} == off ]]; then
    INSEAM_NO_DOCKER="INSEAM_DOCKER=off"
    return
  elif ! type -P docker >/dev/null; then
    INSEAM_NO_DOCKER="no docker client is on PATH"
    return
  fi
  if [[ -z ${DOCKER_HOST:-} ]]; then
    context=${DOCKER_CONTEXT:-}
    if [[ -z $context && -r $config ]]; then
      context=$(sed -n 's/.*"currentContext"[^"]*"\([^"]*\)".*/\1/p' "$config")
    fi
    INSEAM_DOCKER_CONTEXT=${context#default}
  fi
  case $INSEAM_DOCKER_CONTEXT${DOCKER_HOST:-unix://$socket} in
    unix://*)
      socket=${DOCKER_HOST:-unix://$socket}
      inseam_ask_socket "${socket#unix://}"
      ;;
    *)
      inseam_within 1000 docker version ||
        INSEAM_NO_DOCKER="nothing answers at ${DOCKER_HOST:-the docker context $context}"
      ;;
  esac
}

# Does the work of inseam_find_engine for a local socket.
inseam_ask_socket() {
  local ping=(inseam_within 500 docker version)
  if type -P curl >/dev/null; then
    ping=(curl -sf -m 5 --unix-socket "$1" http://localhost/_ping)
  fi
  if [[ ! -S $1 ]]; then
    INSEAM_NO_DOCKER="there is no socket $1"
  elif [[ ! -w $1 ]]; then
    INSEAM_NO_DOCKER="no permission to use $1 (add your user to the group docker)"
  else
    "${ping[@]}" >/dev/null 2>&1 || INSEAM_NO_DOCKER="nothing answers on $1"
  fi
}

# Appends the item $2 to the list option in the environment variable $1, keeping what is there.
inseam_append() {
  local old=${!1:-}
  case $old in
    '') export "$1=+['$2']" ;;
    '[]' | '()') export "$1=['$2']" ;;
    '['*']' | '('*')' | '+['*']') export "$1=${old%[])]}, '$2'${old:${#old}-1}" ;;
    -*) export "$1=$old,+['$2']" ;;
    *) export "$1=['$old', '$2']" ;;
  esac
}

# Skips targets that need a Docker Engine, or fails if one of them was requested.
inseam_without_docker() {
  local remedy="start one (systemctl start docker; Docker Desktop; as root in a container:\
 .ci/docker-engine) or install one (Debian and Ubuntu: apt-get install docker.io)"
  if [[ -n $INSEAM_IMAGE ]]; then
    inseam_die "$INSEAM_IMAGE needs a Docker Engine: $INSEAM_NO_DOCKER." \
      "To continue, $remedy, and run the same command again."
  elif [[ ${INSEAM_DOCKER:-} == require ]]; then
    inseam_die "INSEAM_DOCKER=require, but there is no Docker Engine: $INSEAM_NO_DOCKER." \
      "To continue, $remedy, and run the same command again."
  fi
  inseam_append PANTS_FILTER_TARGET_TYPE -docker_image,_base_image,_registry_image,_deps_image
  inseam_append PANTS_TAG -docker
  if [[ -n $INSEAM_OTHERS ]]; then
    inseam_say "no Docker Engine ($INSEAM_NO_DOCKER): skipping Docker images and tests tagged" \
      "'docker'. To include them, $remedy."
  fi
}

# Whether the docker client $1 can build with BuildKit inside a Pants sandbox. Since version 23 it
# needs the plugin buildx for that, and must find it without the user's HOME.
inseam_has_buildkit() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  version=${version#*version }
  ((${version%%.*} < 23)) || env -u HOME -u DOCKER_CONFIG "$1" buildx version >/dev/null 2>&1
}

# Prints what decides which client is picked: the size, time and inode of every candidate.
inseam_docker_clients() {
  local IFS=$'\n'
  # shellcheck disable=SC2046 # One line, one path.
  ls -Lli $(type -aP docker) /usr/{,local/}lib{,exec}/docker/cli-plugins/docker-buildx 2>&1 || true
}

# Prints the folder of the first client on PATH that can build with BuildKit and reach the engine,
# or `-` if that is the first client anyway or there is none; on a second line, its version.
inseam_pick_client() {
  local client first=''
  while IFS= read -r client; do
    if inseam_has_buildkit "$client" && inseam_within 1000 "$client" version; then
      if [[ -n $first ]]; then printf '%s\n' "${client%/*}"; else printf -- '-\n'; fi
      "$client" --version
      return
    fi
    first=${first:-$client}
  done < <(type -aP docker)
  printf -- '-\nnone\n'
}

# Tells Pants' docker backend which client to use and which variables its sandbox needs.
inseam_with_docker() {
  local entry folder version name
  entry=$INSEAM_CACHE/docker/$(inseam_docker_clients | inseam_hash)
  if [[ ! -f $entry ]]; then
    mkdir -p "${entry%/*}"
    inseam_pick_client >"$entry.$$"
    mv "$entry.$$" "$entry"
  fi
  {
    IFS= read -r folder
    IFS= read -r version
  } <"$entry"
  if [[ $folder != - && -z ${PANTS_DOCKER_EXECUTABLE_SEARCH_PATHS:-} ]]; then
    export PANTS_DOCKER_EXECUTABLE_SEARCH_PATHS="['$folder', '<PATH>']"
  fi
  case $version in
    *' version 18.'* | *' version 19.'* | *' version 20.'*)
      [[ -n ${DOCKER_BUILDKIT:-} ]] || inseam_append PANTS_DOCKER_ENV_VARS DOCKER_BUILDKIT=1
      ;;
  esac
  for name in DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_CERT_PATH DOCKER_TLS_VERIFY \
    DOCKER_BUILDKIT; do
    [[ -z ${!name:-} ]] || inseam_append PANTS_DOCKER_ENV_VARS "$name"
  done
  # Contexts are stored in the user's home.
  [[ -z $INSEAM_DOCKER_CONTEXT ]] || inseam_append PANTS_DOCKER_ENV_VARS HOME
}

inseam_docker() {
  inseam_args "$@"
  inseam_read_args ${INSEAM_ARGS[@]+"${INSEAM_ARGS[@]}"}
  [[ -n $INSEAM_DOCKER_GOAL ]] || return 0
  inseam_find_engine
  if [[ -n $INSEAM_NO_DOCKER ]]; then inseam_without_docker; else inseam_with_docker; fi
}
