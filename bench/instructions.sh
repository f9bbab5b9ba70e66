#!/bin/sh
# Instructions a sample costs on the way of a known series through remote write, whole and by stage,
# HTTP not included:   bench/instructions.sh [BUILD_DIR] [flags of bench_ingest...]
# Needs valgrind and `cmake --build --preset release --target bench_ingest`. "whole" is the real path;
# the stages are the same functions called one by one over all requests.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
if [ $# -gt 0 ] && [ -d "$1" ]; then
    build=$1
    shift
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
valgrind --quiet --tool=callgrind --callgrind-out-file="$tmp/out" \
    "$build/bench/bench_ingest" "$tmp/store" "$@" >"$tmp/parts"
printf '%-8s %12s %10s\n' part instructions 'a sample'
for file in "$tmp"/out.*; do
    awk -v parts="$tmp/parts" '
        BEGIN { while ((getline < parts) > 0) if ($3 == "samples") samples[$1] = $2 }
        /^desc: Trigger: Client Request: / { name = $NF }
        /^(summary|totals):/ && name in samples {
            printf "%-8s %12d %10.1f\n", name, $2, $2 / samples[name]
            exit
        }' "$file"
done
