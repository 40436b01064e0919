#!/bin/sh
# Makes the environment with the first Python that the pins are for, unless there is a whole one.
set -eu
case $OPTIONS in *--without-pip*) whole="import sys" ;; *) whole="import pip" ;; esac
if "$ENVIRONMENT/bin/python" -c "$whole" 2>/dev/null; then
  touch "$ENVIRONMENT/.made"
  exit 0
fi
if [ -e "$ENVIRONMENT" ] && [ ! -e "$ENVIRONMENT/pyvenv.cfg" ]; then
  echo "$ENVIRONMENT is there, and is no environment of Python" >&2
  exit 1
fi
for python in ${PYTHON:-python3.12 python3.11 python3}; do
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null || continue
  rm -rf "$ENVIRONMENT" # of a run that was cut off
  # shellcheck disable=SC2086 # options are words
  "$python" -m venv $OPTIONS "$ENVIRONMENT" >&2
  touch "$ENVIRONMENT/.made"
  exit 0
done
echo "no Python 3.11 or 3.12 here, but $(python3 -V 2>&1): take an image of Ubuntu 24.04 or Debian 12, or" \
  "name one in environment_python" >&2
exit 1
