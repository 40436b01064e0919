#!/bin/sh
# Installs the pins and the toolkit's wheel, unless exactly these are installed already. What was installed is
# written down at the end only, so that a run that was cut off is made up for by the next one.
set -eu
cd /opt/fpgaclass
want=$(cat student.txt ${WHEEL:+"$WHEEL"} 2>/dev/null | sha256sum)
if [ "$(cat "$ENVIRONMENT/.installed" 2>/dev/null)" = "$want" ]; then echo "nothing to install"; exit 0; fi
pip() { "$ENVIRONMENT/bin/python" -m pip --disable-pip-version-check --no-cache-dir "$@"; }
if [ -n "$WHEELS" ]; then OPTIONS="--no-index --find-links $WHEELS $OPTIONS"; fi
# shellcheck disable=SC2086 # options are words
if [ -s student.txt ]; then pip install --require-hashes $OPTIONS -r student.txt; fi
if [ -n "$WHEEL" ]; then
  pip install --no-deps --no-index --force-reinstall "./$WHEEL"
  # The wheel has the demo course in it, with its solutions.
  rm -rf "$ENVIRONMENT"/lib/python3*/site-packages/fpgaclass/demo
fi
echo "$want" > "$ENVIRONMENT/.installed"
