# Compare the database with a count that knows nothing of Python: usage  sh validate.sh SOURCE RESULTS PYTHON
#
# Files, lines and bytes must agree exactly. A function begins on a line with `def` and a class on one with `class`;
# such lines also stand in texts and in files that cannot be parsed, so there are at least as many of them.
set -eu
LC_ALL=C
export LC_ALL
source=$1 results=$2 python=$3

python_files() {
    find "$source" \( -name site-packages -o -name dist-packages \) -prune -o -type f -name '*.py' "$@"
}

lines_like() {  # awk ends the last line of each file, so that no two run into each other
    python_files -exec awk 1 {} + | tr -d '\000' | grep -Ec "$1" || true
}

compare() {  # name, database, independent, relation
    if [ "$2" "$4" "$3" ]; then
        printf '%s %s %s\n' "$1" "$2" "$3"
    else
        echo "$1: the database has $2, the independent count is $3" >&2
        failed=yes
    fi
}

failed=no
totals=$("$python" workflows/census/totals.py "$results")
total() { printf '%s\n' "$totals" | sed -n "s/^$1 //p"; }

compare files "$(total files)" "$(($(python_files -print | wc -l)))" -eq
compare lines "$(total lines)" "$(($(python_files -exec cat {} + | wc -l)))" -eq
compare bytes "$(total bytes)" "$(($(python_files -exec cat {} + | wc -c)))" -eq
compare functions "$(total functions)" "$(lines_like '^[[:space:]]*(async[[:space:]]+)?def([[:space:]\\]|$)')" -le
compare classes "$(total classes)" "$(lines_like '^[[:space:]]*class([[:space:]\\]|$)')" -le
[ "$failed" = no ]
