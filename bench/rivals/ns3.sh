#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ns-3 as Debian builds it (libns3-dev): two nodes on a wire of 10 Gbit/s and 10 us (ns3/flows.cpp).
#   one, thousand, codel, lossy: nanoseconds for a segment of 1448 bytes; idle: bytes for a connection that does nothing
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$here/../../build/rivals/ns3
mkdir -p "$work"

lacks() { echo "$*" >&2; exit 3; }

case ${1:-} in
prepare)
	command -v g++ >/dev/null || lacks "no g++"
	[[ -e /usr/include/ns3.37/ns3/core-module.h || -e /usr/include/ns3/core-module.h ]] || lacks "no ns-3 (libns3-dev)"
	[[ $work/flows -nt $here/ns3/flows.cpp ]] ||
		g++ -std=c++17 -O2 -DNDEBUG -w -I/usr/include/ns3.37 "$here/ns3/flows.cpp" -o "$work/flows" \
			-lns3-applications -lns3-point-to-point -lns3-traffic-control -lns3-internet -lns3-network -lns3-core
	;;
round)
	names=("${@:2}")
	((${#names[@]})) || names=(one thousand codel lossy idle)
	for name in "${names[@]}"; do "$work/flows" "$name"; done
	;;
*)
	echo "usage: $0 prepare | round [NAME...]" >&2
	exit 2
	;;
esac
