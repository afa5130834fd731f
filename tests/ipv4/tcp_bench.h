// SPDX-License-Identifier: GPL-2.0-only
//
// A TCP socket by itself, in the initial namespace of a host: enough for what reads and writes its fields and
// sends nothing.
#pragma once

#include "stack/ipv4/tcp.h"
#include "tests/core/net_host.h"

namespace skbwalk::test {

class tcp_bench : public net_host {
public:
	tcp_bench()
	{
		enter();
		prot.name = "TEST";
		EXPECT_EQ(proto_register(prot, false), 0);
		tp.skc_net = &init_net();
		tp.skc_state = TCP_ESTABLISHED;
		tp.snd_cwnd_ = 10;
		tp.skc_prot = &prot;
		minmax_reset(tp.rtt_min, 0, 1000);
	}
	~tcp_bench() { leave(); }

	tcp_sock tp;

private:
	// Without memory accounting; registered for its state on the host.
	static inline proto prot{};
};

} // namespace skbwalk::test
