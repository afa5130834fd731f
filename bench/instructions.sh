#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Instructions of what benchmark programs count, by callgrind, beside the recorded ones.
#
#   bench/instructions.sh check  BUILD/bench    each within 3 % of bench/instructions.tsv
#   bench/instructions.sh record BUILD/bench    write bench/instructions.tsv
#
# A line of that file: program, name, instructions an item.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
verb=$1 programs=$2 table=$here/instructions.tsv

if ! command -v valgrind >/dev/null; then
	echo '!!!! SKIPPED: no valgrind here (./dev setup installs it): no instruction was counted' >&2
	exit 77
fi

# count PROGRAM NAME ITEMS: instructions an item, two digits.
count() {
	local out total
	out=$(mktemp)
	valgrind --tool=callgrind --collect-atstart=no --callgrind-out-file="$out" \
		"$programs/$1_bench" --count "$2" 2>"$out.log" >/dev/null || { cat "$out.log" >&2; return 1; }
	total=$(awk '/^summary:|^totals:/ {print $2; exit}' "$out")
	rm -f "$out" "$out.log"
	if ((${total:-0} == 0)); then
		echo "$1 $2: nothing counted: was it built without valgrind's header?" >&2
		return 1
	fi
	awk -v total="$total" -v items="$3" 'BEGIN {printf "%.2f", total / items}'
}

measure() {
	local program name items
	for program in "$programs"/*_bench; do
		program=$(basename "$program" _bench)
		while IFS=$'\t' read -r name items; do
			printf '%s\t%s\t%s\n' "$program" "$name" "$(count "$program" "$name" "$items")"
		done < <("$programs/${program}_bench" --count)
	done
}

case $verb in
record)
	measured=$(measure)
	{ sed -n '/^#/p' "$table" 2>/dev/null || true; printf '%s\n' "$measured"; } >"$table.new"
	mv "$table.new" "$table"
	cat "$table"
	;;
check)
	measured=$(measure)
	awk -F'\t' '
		/^#/ || !NF {next}
		NR == FNR {was[$1 " " $2] = $3; next}
		{
			key = $1 " " $2
			if (!(key in was)) { printf "%s: %s instructions, none recorded\n", key, $3; bad = 1; next }
			change = ($3 / was[key] - 1) * 100
			off = change > 3 || change < -3
			printf "%s: %s instructions, recorded %s (%+.1f %%)%s\n", key, $3, was[key], change,
				off ? ": more than 3 % off" : ""
			bad = bad || off
			delete was[key]
		}
		END {
			for (key in was) { printf "%s: recorded, and no longer counted\n", key; bad = 1 }
			if (bad) print "bench/instructions.sh record BUILD/bench writes them anew, where that is meant"
			exit bad
		}' "$table" <(printf '%s\n' "$measured")
	;;
*)
	echo "usage: $0 check|record BUILD/bench" >&2
	exit 2
	;;
esac
