#!/bin/sh
# Builds this project with the vendor's tools, which must be on PATH; nothing else of fpgaclass is needed.
# What comes out is in results/, and packed as <name>-results.tar.gz for `fpgaclass firmware read-back`.
set -eu
cd "$(dirname "$0")"
set -a  # the steps are scripts of their own
. ./settings.sh
set +a

fail() {
    echo "ERROR: $*" >&2
    exit 1
}

for tool in $TOOLS; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is not on PATH. $HOW_TO_GET"
done
sha256sum --quiet -c SHA256SUMS || fail "a file of this project is not as it was packed"

rm -rf results work
mkdir -p results/reports work
sh -eu scripts/build.sh
for product in $PRODUCTS; do
    [ -s "results/$product" ] || fail "the tools ended well and left no $product"
done

for tool in $TOOLS; do
    case $tool in
    vivado | v++) echo "$tool: $("$tool" -version 2>&1 | head -n 1)" ;;
    esac
done >results/tools.txt
cp project.json results/
(cd results && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
tar -czf "$NAME-results.tar.gz" results
echo "built: $(pwd)/$NAME-results.tar.gz"
