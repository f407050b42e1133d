#!/bin/sh
# Two loads against the sandbox, in a state directory of their own: the first creates and links, the second has nothing
# to do.
set -eu
cd "$(dirname "$0")/.."
BIN=${BIN:-.venv/bin}
export SNOWLOAD_STATE_DIR="$PWD/.demo"
rm -rf .demo
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say '$ snowload load --sandbox        (the first load)'
"$BIN/snowload" load --sandbox || [ $? -eq 3 ]   # 3: some records are held for a person, on purpose

say '$ snowload load --sandbox        (nothing changed since)'
"$BIN/snowload" load --sandbox || [ $? -eq 3 ]

say '$ snowload report --sandbox'
"$BIN/snowload" report --sandbox
