#!/bin/sh
# Makes the environment with the first Python that the pins are for.
set -eu
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
