#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# uftrace over a program compiled with -pg (uftrace/leaf.cpp).
#   event: nanoseconds that an entry or a return costs when it is recorded: half of what a call costs more
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$here/../../build/rivals/uftrace
mkdir -p "$work"
cd "$work"

lacks() { echo "$*" >&2; exit 3; }

case ${1:-} in
prepare)
	command -v uftrace >/dev/null || lacks "no uftrace"
	command -v g++ >/dev/null || lacks "no g++"
	g++ -O2 "$here/uftrace/leaf.cpp" -o plain
	g++ -O2 -pg "$here/uftrace/leaf.cpp" -o traced
	;;
round)
	plain=$(./plain)
	traced=$(uftrace record --no-libcall --no-sched -d data ./traced)
	rm -rf data data.old gmon.out
	awk -v plain="$plain" -v traced="$traced" 'BEGIN {printf "event\t%.2f\tns\n", (traced - plain) / 2}'
	;;
*)
	echo "usage: $0 prepare | round [NAME...]" >&2
	exit 2
	;;
esac
