// SPDX-License-Identifier: GPL-2.0-only
//
// Left out are times, rates, and what is computed from them: rto, ato, rtt, pacing, busy times, app-limited.
#include "sim/oracle_tcp_info.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "stack/ipv4/tcp_info.h"

namespace skbwalk::sim {

namespace {

tcp_info read(std::string_view bytes)
{
	tcp_info out{};
	std::memcpy(&out, bytes.data(), std::min(bytes.size(), sizeof(out)));
	return out;
}

} // namespace

std::string differences_of_tcp_info(std::string_view kernel, std::string_view model)
{
	const tcp_info k = read(kernel), m = read(model);
	std::string out;
	const auto field = [&out](std::string_view name, u64 a, u64 b) {
		if (a != b)
			out += fmt::format("{}{}: kernel {}, model {}", out.empty() ? "" : "; ", name, a, b);
	};
#define FIELD(name) field(#name, k.name, m.name)
	FIELD(tcpi_state);
	FIELD(tcpi_ca_state);
	FIELD(tcpi_retransmits);
	FIELD(tcpi_probes);
	FIELD(tcpi_backoff);
	FIELD(tcpi_options);
	FIELD(tcpi_snd_wscale);
	FIELD(tcpi_rcv_wscale);
	FIELD(tcpi_snd_mss);
	FIELD(tcpi_rcv_mss);
	FIELD(tcpi_unacked);
	FIELD(tcpi_sacked);
	FIELD(tcpi_lost);
	FIELD(tcpi_retrans);
	FIELD(tcpi_pmtu);
	FIELD(tcpi_rcv_ssthresh);
	FIELD(tcpi_snd_ssthresh);
	FIELD(tcpi_snd_cwnd);
	FIELD(tcpi_advmss);
	FIELD(tcpi_reordering);
	FIELD(tcpi_rcv_space);
	FIELD(tcpi_total_retrans);
	FIELD(tcpi_bytes_acked);
	FIELD(tcpi_bytes_received);
	FIELD(tcpi_segs_out);
	FIELD(tcpi_segs_in);
	FIELD(tcpi_notsent_bytes);
	FIELD(tcpi_data_segs_in);
	FIELD(tcpi_data_segs_out);
	FIELD(tcpi_delivered);
	FIELD(tcpi_bytes_sent);
	FIELD(tcpi_bytes_retrans);
	FIELD(tcpi_dsack_dups);
	FIELD(tcpi_reord_seen);
	FIELD(tcpi_rcv_ooopack);
	FIELD(tcpi_snd_wnd);
#undef FIELD
	return out;
}

} // namespace skbwalk::sim
