#!/usr/bin/env sh
# Starts the program for this platform, which takes the place of this shell. A script of Node would stay in memory beside it with 42 MB,
# and start ten times as slowly.

self=$(readlink -f "$0") || self=$0
case "$self" in /*) ;; *) self=$PWD/$self ;; esac
case "$(uname -sm)" in
  "Linux x86_64" | "Linux amd64") platform=linux-x64 ;;
  "Linux aarch64" | "Linux arm64") platform=linux-arm64 ;;
  *) platform= ;;
esac

# npm, pnpm, yarn and bun put the platform's package beside this one or above it. A folder where strangers may put something, such as /tmp, and
# those above it have none: the program of a stranger would run where the package is missing.
directory=${self%/*}
while [ -n "$platform" ] && [ -n "$directory" ] && ! [ -k "$directory" ]; do
  program=$directory/node_modules/@heapbeat/$platform/heapbeat
  if [ -x "$program" ]; then exec "$program" "$@"; fi
  directory=${directory%/*}
done

system=$(uname -sm)
case "$system" in
  Linux*)
    if [ -z "$platform" ]; then
      echo "heapbeat: there is no package for $system; build the program from its source" >&2
    else
      echo "heapbeat: the package @heapbeat/$platform is missing: install without --omit=optional, and make the lock file anew if it" \
        "was written on another system" >&2
    fi
    exit 127
    ;;
esac
# Programs are deployed on Linux and developed anywhere: there `npm start` has to work as well.
if [ "$1" = run ]; then
  while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
  if [ $# -gt 1 ]; then
    shift
    echo "heapbeat: guards programs on Linux, and this is $system: $1 starts without a guard" >&2
    exec "$@"
  fi
fi
echo "heapbeat: runs on Linux, and this is $system" >&2
exit 127
