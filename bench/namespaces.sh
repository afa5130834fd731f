# SPDX-License-Identifier: GPL-2.0-only
#
# For scripts that measure the machine's kernel: two network namespaces, whose names the script puts into $a and $b,
# and a veth pair between them, v0 10.99.0.1/24 in the first and v1 10.99.0.2/24 in the second.

make_namespaces() {
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
}

# With all that runs in them.
end_namespaces() {
	local space
	for space in "$a" "$b"; do
		ip netns pids "$space" 2>/dev/null | xargs -r kill || true
	done
	jobs -p | xargs -r kill 2>/dev/null || true
	wait
	for space in "$a" "$b"; do
		ip netns del "$space" 2>/dev/null || true
	done
}
