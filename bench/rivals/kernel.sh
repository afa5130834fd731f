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

end() {
	ip netns pids "$b" 2>/dev/null | xargs -r kill || true
	ip netns del "$a" 2>/dev/null || true
	ip netns del "$b" 2>/dev/null || true
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
	trap end EXIT
	local want=("$@") name
	((${#want[@]})) || want=(bulk gso rr connection)
	local space
	for space in "$a" "$b"; do
		ip netns add "$space"
		# iperf3 sets -C when it is connected: a default that paces (bbr) would go on pacing.
		ip netns exec "$space" sh -c 'echo reno >/proc/sys/net/ipv4/tcp_congestion_control'
	done
	ip -n "$a" link add v0 type veth peer name v1 netns "$b"
	ip -n "$a" addr add 10.99.0.1/24 dev v0
	ip -n "$b" addr add 10.99.0.2/24 dev v1
	ip -n "$a" link set lo up
	ip -n "$a" link set v0 up
	ip -n "$b" link set v1 up
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
