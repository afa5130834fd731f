#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel that runs here, in namespaces of this script's own: a veth pair and iperf3, both ends on one cpu, one
# second each; round trips and connections over lo (kernel/pingpong.c). CPU time of both ends.
#   bulk, gso: nanoseconds for 1448 bytes with the devices' offloads off and on, calls as long as ours; rr; connection
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$here/../../build/rivals/kernel
a=skbwalk-bench-a-$$ b=skbwalk-bench-b-$$
mkdir -p "$work"
source "$here/../namespaces.sh"

lacks() { echo "$*" >&2; exit 3; }

prepare() {
	local tool
	for tool in ip iperf3 ethtool taskset gcc; do
		command -v $tool >/dev/null || lacks "no $tool"
	done
	ip netns add "$a" 2>/dev/null || lacks "no permission to make a network namespace"
	ip netns del "$a"
	gcc -O2 -Wall -Wextra "$here/kernel/pingpong.c" -o "$work/pingpong"
}

on_one_cpu() { taskset -c $((1 % $(nproc))) "$@"; }

# bulk NAME on|off BYTES-A-CALL
bulk() {
	ip netns exec "$a" ethtool -K v0 gso "$2" tso "$2" gro "$2" >/dev/null
	ip netns exec "$b" ethtool -K v1 gso "$2" tso "$2" gro "$2" >/dev/null
	on_one_cpu ip netns exec "$a" iperf3 -c 10.99.0.2 -p 5301 -t 1 -l "$3" -C cubic -J >"$work/result.json"
	# Percent of the seconds, of both ends; bytes that arrived.
	tr ',{}' '\n' <"$work/result.json" | tr -d ' \t"' | awk -F: -v name="$1" '
		/^sum_received/ {received = 1}
		/^cpu_utilization_percent/ {received = 0}
		received && $1 == "seconds" {seconds = $2}
		received && $1 == "bytes" {bytes = $2}
		$1 == "host_total" || $1 == "remote_total" {percent += $2}
		END {
			if (!bytes) exit 1
			printf "%s\t%.1f\tns\n", name, percent / 100 * seconds * 1e9 / (bytes / 1448)
		}'
}

round() {
	trap end_namespaces EXIT
	local want=("$@") name
	((${#want[@]})) || want=(bulk gso rr connection)
	make_namespaces
	on_one_cpu ip netns exec "$b" iperf3 -s -p 5301 >/dev/null 2>&1 &
	sleep 0.3
	for name in "${want[@]}"; do
		case $name in
		bulk) bulk bulk off $((11 * 1448)) ;;
		gso) bulk gso on $((45 * 1448)) ;;
		*) ip netns exec "$a" "$work/pingpong" "$name" ;;
		esac
	done
}

case ${1:-} in
prepare) prepare ;;
round) round "${@:2}" ;;
*) echo "usage: $0 prepare | round [NAME...]" >&2; exit 2 ;;
esac
