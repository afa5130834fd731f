#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# lwIP 2.1 from Debian's source package: one stack without threads, raw API, two Ethernet interfaces joined in the
# process, no checksums (lwip/bench.c). The source is fetched and built under build/rivals/lwip.
#   bulk: a data segment with its half of an acknowledgement; rr: a round trip; connection: connect, accept, close
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$here/../../build/rivals/lwip
mkdir -p "$work"
cd "$work"

lacks() { echo "$*" >&2; exit 3; }

# The machine's own sources of packages, asked for sources.
fetch() {
	mkdir -p sources state/lists/partial
	local from
	for from in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		[[ -f $from ]] || continue
		case $from in
		*.sources) sed 's/^Types:.*/Types: deb-src/' "$from" >"sources/${from##*/}" ;;
		*.list) sed -n 's/^deb /deb-src /p' "$from" >"sources/${from##*/}" ;;
		esac
	done
	local apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources"
		-o "Dir::State::lists=$work/state/lists" -o APT::Sandbox::User=root)
	"${apt[@]}" update || true
	"${apt[@]}" source --download-only lwip
	tar xf lwip_2.1*.orig.tar.*
	mv lwip-2.1* source
}

prepare() {
	command -v gcc >/dev/null || lacks "no gcc"
	[[ -d source ]] || fetch || lacks "lwIP's source package cannot be fetched"
	[[ bench -nt $here/lwip/bench.c && bench -nt $here/lwip/lwipopts.h ]] && return
	gcc -O3 -march=native -DNDEBUG -DLWIP_NOASSERT -w -I"$here/lwip" -Isource/src/include "$here/lwip/bench.c" \
		source/src/core/*.c source/src/core/ipv4/*.c source/src/netif/ethernet.c -o bench
}

case ${1:-} in
prepare) prepare ;;
round) exec ./bench "${@:2}" ;;
*) echo "usage: $0 prepare | round [NAME...]" >&2; exit 2 ;;
esac
