#!/usr/bin/env bash
# Puts one mistake after another into a copy of the sources, and shows which tests notice. Needs git, patch and cargo.
#
#   tests/mutants/run.sh               every mistake
#   tests/mutants/run.sh NAME...       some, by the names of their patches
#
# A patch whose first line is `tests: ARGUMENTS` says what to give to `cargo test`; else it is `--test engine`.
# Ends with 1 if no test notices one of them, or if a patch no longer fits the sources.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# Not the usual folder: cargo would take what is built of the copy for what is built of the sources.
export CARGO_TARGET_DIR=$root/target/mutants
export INSTA_UPDATE=no
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cd "$root"
git ls-files -z | xargs -0 cp --parents -t "$copy"
cd "$copy"
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    names=($(cd "$here" && ls ./*.patch | sed 's|^./||; s|\.patch$||'))
fi
missed=0
for name in "${names[@]}"; do
    if ! patch --quiet --strip=0 --no-backup-if-mismatch <"$here/$name.patch" >/dev/null; then
        echo "does not fit   $name"
        missed=1
        continue
    fi
    # What a changed file was made of is judged by its time.
    sed -n 's/^+++ \([^\t]*\).*/\1/p' "$here/$name.patch" | xargs touch
    tests=$(sed -n '1s/^tests: //p' "$here/$name.patch")
    # Several arguments, each a word.
    # shellcheck disable=SC2086
    output=$(cargo test --quiet ${tests:---test engine} 2>&1) && passed=1 || passed=0
    if [ "$passed" = 1 ]; then
        echo "NOT NOTICED    $name"
        missed=1
    elif tests=$(grep -o '^    [a-z0-9_:]*$' <<<"$output" | sort -u | tr -d ' ' | paste -sd ' ') && [ -n "$tests" ]; then
        echo "noticed        $name: $tests"
    else
        echo "does not build $name"
        missed=1
    fi
    patch --quiet --strip=0 --reverse <"$here/$name.patch" >/dev/null
done
exit "$missed"
