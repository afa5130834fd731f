#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Bulk between iperf3 on the machine's kernel and the model on a TAP interface (`skbwalk tap`, an iperf3 server
# among its services), one stream, and between two namespaces of that kernel over a veth pair, offloads on, iperf3
# at both ends; in namespaces of this script's own. Gbit/s that arrived.
#   to_model, from_model; to_veth, from_veth
# `smoke` shows in some seconds that it works: status 77 says that this machine cannot, and why.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
skbwalk=${SKBWALK_PROGRAM:-$here/../build/release/skbwalk}
a=skbwalk-tap-a-$$ b=skbwalk-tap-b-$$
seconds=2
source "$here/namespaces.sh"

lacks() { echo "$*" >&2; exit 3; }

prepare() {
	local tool
	for tool in ip iperf3; do
		command -v $tool >/dev/null || lacks "no $tool"
	done
	[[ -x $skbwalk ]] || lacks "no ${skbwalk##*/} at ${skbwalk%/*}"
	[[ -r /dev/net/tun && -w /dev/net/tun ]] || lacks "no /dev/net/tun, or not for this user"
	ip netns add "$a" 2>/dev/null || lacks "no permission to make a network namespace"
	trap end_namespaces EXIT
	ip netns exec "$a" ip tuntap add dev probe mode tap 2>/dev/null || lacks "no permission to make a TAP interface"
}

# measure NAME OPTIONS...
measure() {
	local result
	result=$(ip netns exec "$a" timeout $((seconds + 10)) iperf3 -t "$seconds" -C cubic -J "${@:2}") ||
		{ echo "$1: $result" >&2; return 1; }
	tr ',{}' '\n' <<<"$result" | tr -d ' \t"' | awk -F: -v name="$1" '
		/^sum_received/ {received = 1}
		received && $1 == "bits_per_second" {print name "\t" $2 / 1e9 "\tGbit/s"; found = 1; exit}
		END {exit !found}'
}

# Until somebody listens there.
await() {
	local try
	for ((try = 0; try < 100; ++try)); do
		if ip netns exec "$a" bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; then return; fi
		sleep 0.05
	done
	echo "nobody answers at $1:$2" >&2
	return 1
}

round() {
	trap end_namespaces EXIT
	local want=("$@") name
	((${#want[@]})) || want=(to_model to_veth from_model from_veth)
	make_namespaces
	ip netns exec "$b" iperf3 -s -p 5301 >/dev/null 2>&1 &
	ip netns exec "$a" "$skbwalk" tap tap0 --addr 10.98.0.2/24 --host-addr 10.98.0.1/24 --serve iperf3:5301 \
		>/dev/null 2>&1 &
	await 10.98.0.2 5301
	await 10.99.0.2 5301
	sleep 0.2
	for name in "${want[@]}"; do
		case $name in
		to_model) measure "$name" -c 10.98.0.2 -p 5301 ;;
		from_model) measure "$name" -c 10.98.0.2 -p 5301 -R ;;
		to_veth) measure "$name" -c 10.99.0.2 -p 5301 ;;
		from_veth) measure "$name" -c 10.99.0.2 -p 5301 -R ;;
		*) echo "no sample is called $name" >&2; return 2 ;;
		esac
	done
}

case ${1:-} in
prepare) prepare ;;
round) round "${@:2}" ;;
smoke)
	why=$("$0" prepare 2>&1) || { echo "SKIPPED: $why"; exit 77; }
	seconds=1
	round
	;;
*) echo "usage: $0 prepare | round [NAME...] | smoke" >&2; exit 2 ;;
esac
