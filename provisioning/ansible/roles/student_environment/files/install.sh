#!/bin/sh
# Installs the pins and the toolkit's wheel, unless exactly these are installed already. What was installed is
# written down at the end only, so that a run that was cut off is made up for by the next one.
set -eu
cd /opt/fpgaclass
want=$(cat student.txt ${WHEEL:+"$WHEEL"} 2>/dev/null | sha256sum)
if [ "$(cat "$ENVIRONMENT/.installed" 2>/dev/null)" = "$want" ]; then echo "nothing to install"; exit 0; fi
pip() { "$ENVIRONMENT/bin/python" -m pip --disable-pip-version-check --no-cache-dir "$@"; }
if [ -n "$WHEELS" ]; then OPTIONS="--no-index --find-links $WHEELS $OPTIONS"; fi
if [ -s student.txt ]; then
  # The few packages that come as source are built with the tools that the pins name, with their hashes, too.
  awk '/^(packaging|setuptools|wheel)==/ {tool = 1} tool {print} tool && !/\\$/ {tool = 0}' student.txt > tools.txt
  # shellcheck disable=SC2086 # options are words
  if [ -s tools.txt ]; then pip install --require-hashes $OPTIONS -r tools.txt; fi
  # shellcheck disable=SC2086
  pip install --require-hashes --no-build-isolation $OPTIONS -r student.txt
fi
if [ -n "$WHEEL" ]; then
  pip install --no-deps --no-index --force-reinstall "./$WHEEL"
  # The wheel has the demo course in it, with its solutions.
  rm -rf "$ENVIRONMENT"/lib/python3*/site-packages/fpgaclass/demo
fi
echo "$want" > "$ENVIRONMENT/.installed"
