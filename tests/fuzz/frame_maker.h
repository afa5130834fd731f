// SPDX-License-Identifier: GPL-2.0-only
//
// Frames from a seed: what a peer would send, what it never would, and noise. The maker keeps a view of each
// TCP connection from the frames that the model sends, so that most of what it makes lands inside a window
// and reaches deep; it answers the model well often enough that sockets get into every state.
#pragma once

#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "tests/fuzz/dice.h"

namespace skbwalk::fuzz {

class frame_maker {
public:
	static constexpr u32 model_ip = 0x0a090002, peers_ip = 0x0a090001;
	static constexpr u16 tcp_ports[] = {80, 7, 9, 443}, udp_ports[] = {7, 53};
	static constexpr u16 peer_port = 5000; // where the model's clients connect to; and the next few

	frame_maker(u64 seed, const std::array<u8, 6> &model_mac) : d_{seed, "fuzz-frames"}, mac_(model_mac)
	{}

	// A frame that the model sent; it may queue an answer.
	void seen(const u8 *frame, std::size_t n);
	// The next frame for the model.
	bytes next();

private:
	struct flow {
		u32 peer_ip;
		u16 peer_port, model_port;
		u32 snd_nxt = 0, rcv_nxt = 0; // the peer's
		u32 ts_echo = 0;
		bool timestamps = false;
		u8 last_flags = 0;
	};
	enum : u8 { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

	bytes ethernet(u16 type, const bytes &payload);
	bytes ip(u8 protocol, u32 from, u32 to, const bytes &payload);
	bytes arp(u16 op, u32 sender, u32 target);
	bytes tcp(const flow &f, u8 flags, u32 seq, u32 ack, u32 window, bytes options, const bytes &data);
	bytes udp(u32 from, u16 sport, u16 dport, const bytes &data);
	bytes icmp(u8 type, u8 code, u32 from, u32 rest, const bytes &data);
	bytes tcp_options(const flow *f, bool syn);
	bytes data(std::size_t max);
	u32 some_peer()
	{
		// Seldom one that can be none: of a group, of all, the model's own, loopback's.
		static constexpr u32 none[] = {0,          0xffffffff, 0x7f000001, 0xe0010203,
		                               0x0a0900ff, model_ip,   0x0a080002, 0xf0000001};
		if (d_.percent(2))
			return d_.pick(none);
		return peers_ip + (d_.percent(70) ? 0 : 2 + d_.below(6));
	}
	flow &some_flow();

	bytes make();
	bytes make_arp();
	bytes make_tcp();
	bytes make_icmp();
	bytes make_igmp();
	bytes make_noise();
	bytes fragment(const bytes &frame);
	void mutate(bytes &frame);
	void react(flow &f, u8 flags, u32 seq, std::size_t data_bytes);

	dice d_;
	std::array<u8, 6> mac_;
	std::map<u64, flow> flows_;
	std::deque<bytes> ready_;           // answers
	std::deque<bytes> of_model_, sent_; // the last few
	u32 now_ = 1000;                    // the peer's timestamp clock
	u16 id_ = 1;
};

// ---- building -------------------------------------------------------------------------------------------

inline bytes frame_maker::data(std::size_t max)
{
	bytes out(d_.below(max + 1));
	for (u8 &b : out)
		b = static_cast<u8>(d_.word());
	return out;
}

inline bytes frame_maker::ethernet(u16 type, const bytes &payload)
{
	bytes f(14);
	std::memcpy(f.data(), mac_.data(), 6);
	if (d_.percent(3))
		std::memset(f.data(), 0xff, 6);
	else if (d_.percent(2))
		f[5] ^= 0x55;
	else if (d_.percent(1))
		std::memcpy(f.data(), "\x01\x00\x5e\x01\x02\x03", 6);
	f[6] = 2;
	f[11] = 1;
	if (d_.percent(1))
		std::memset(f.data() + 6, d_.percent(50) ? 0xff : 0, 6);
	else if (d_.percent(1))
		std::memcpy(f.data() + 6, mac_.data(), 6); // its own
	put16(f.data() + 12, type);
	f.insert(f.end(), payload.begin(), payload.end());
	return f;
}

inline bytes frame_maker::ip(u8 protocol, u32 from, u32 to, const bytes &payload)
{
	bytes options;
	if (d_.percent(4)) {
		options = data(40);
		static constexpr u8 kinds[] = {0, 1, 7, 68, 131, 137, 148, 136, 130};
		if (!options.empty())
			options[0] = d_.pick(kinds);
		if (options.size() > 3 && d_.percent(80)) {
			options[1] = static_cast<u8>(d_.percent(70) ? options.size() : d_.below(44));
			options[2] = static_cast<u8>(d_.percent(70) ? 4 : d_.below(50));
		}
		options.resize((options.size() + 3) / 4 * 4);
	}
	bytes p(20 + options.size());
	p[0] = static_cast<u8>(0x40 | (p.size() / 4));
	p[1] = static_cast<u8>(d_.percent(90) ? 0 : d_.word());
	put16(p.data() + 2, static_cast<u32>(p.size() + payload.size()));
	put16(p.data() + 4, id_++);
	p[8] = static_cast<u8>(d_.percent(97) ? 64 : d_.below(3));
	p[9] = protocol;
	put32(p.data() + 12, from);
	put32(p.data() + 16, to);
	std::copy(options.begin(), options.end(), p.begin() + 20);
	put16(p.data() + 10, sum16(p.data(), p.size()));
	p.insert(p.end(), payload.begin(), payload.end());
	return ethernet(0x0800, p);
}

inline bytes frame_maker::arp(u16 op, u32 sender, u32 target)
{
	bytes p(28);
	put16(p.data(), 1);
	put16(p.data() + 2, 0x0800);
	p[4] = 6;
	p[5] = 4;
	put16(p.data() + 6, op);
	p[8] = 2;
	p[13] = 1;
	put32(p.data() + 14, sender);
	if (op == 2)
		std::memcpy(p.data() + 18, mac_.data(), 6);
	put32(p.data() + 24, target);
	return ethernet(0x0806, p);
}

// Of all kinds: gratuitous ones, probes, with its own address, with addresses of groups, with the wrong type
// or lengths, padded and cut.
inline bytes frame_maker::make_arp()
{
	static constexpr u32 odd[] = {0,        0xffffffff, 0x7f000001, 0xe0000001,
	                              model_ip, 0x0a0900ff, 0x0a080002, 0x0a090063};
	const u16 op = static_cast<u16>(d_.percent(90) ? 1 + d_.below(2) : d_.word());
	const u32 sender = d_.percent(80) ? some_peer() : d_.pick(odd);
	const u32 target = d_.percent(60)   ? model_ip
	                   : d_.percent(30) ? sender
	                   : d_.percent(60) ? d_.pick(odd)
	                                    : d_.wild();
	bytes f = arp(op, sender, target);
	if (d_.percent(15))
		put16(f.data() + 14, d_.percent(50) ? 6 : d_.wild());
	if (d_.percent(5))
		put16(f.data() + 16, d_.wild());
	if (d_.percent(5))
		f[18 + d_.below(2)] = static_cast<u8>(d_.word());
	if (d_.percent(10)) // another station speaks for the address
		f[27] = static_cast<u8>(d_.word());
	if (d_.percent(3))
		std::memset(f.data() + 22, 0xff, 6);
	if (d_.percent(50))
		f.resize(60);
	else if (d_.percent(5))
		f.resize(14 + d_.below(28));
	return f;
}

inline bytes frame_maker::tcp(const flow &f, u8 flags, u32 seq, u32 ack, u32 window, bytes options,
                              const bytes &payload)
{
	options.resize(std::min<std::size_t>(40, (options.size() + 3) / 4 * 4));
	bytes t(20 + options.size());
	put16(t.data(), f.peer_port);
	put16(t.data() + 2, f.model_port);
	put32(t.data() + 4, seq);
	put32(t.data() + 8, ack);
	t[12] = static_cast<u8>(t.size() / 4 << 4);
	t[13] = flags;
	put16(t.data() + 14, window);
	if (flags & URG)
		put16(t.data() + 18, d_.wild());
	std::copy(options.begin(), options.end(), t.begin() + 20);
	t.insert(t.end(), payload.begin(), payload.end());
	u8 pseudo[12] = {};
	put32(pseudo, f.peer_ip);
	put32(pseudo + 4, model_ip);
	pseudo[9] = 6;
	put16(pseudo + 10, static_cast<u32>(t.size()));
	put16(t.data() + 16, sum16(t.data(), t.size(), static_cast<u16>(~sum16(pseudo, 12))));
	return ip(6, f.peer_ip, model_ip, t);
}

inline bytes frame_maker::udp(u32 from, u16 sport, u16 dport, const bytes &payload)
{
	bytes u(8);
	put16(u.data(), sport);
	put16(u.data() + 2, dport);
	put16(u.data() + 4, static_cast<u32>(8 + payload.size()));
	u.insert(u.end(), payload.begin(), payload.end());
	if (d_.percent(90)) {
		u8 pseudo[12] = {};
		put32(pseudo, from);
		put32(pseudo + 4, model_ip);
		pseudo[9] = 17;
		put16(pseudo + 10, static_cast<u32>(u.size()));
		put16(u.data() + 6, sum16(u.data(), u.size(), static_cast<u16>(~sum16(pseudo, 12))));
	}
	return ip(17, from, d_.percent(97) ? model_ip : 0x0a0900ff, u);
}

inline bytes frame_maker::icmp(u8 type, u8 code, u32 from, u32 rest, const bytes &payload)
{
	bytes i(8);
	i[0] = type;
	i[1] = code;
	put32(i.data() + 4, rest);
	i.insert(i.end(), payload.begin(), payload.end());
	put16(i.data() + 2, sum16(i.data(), i.size()));
	return ip(1, from, model_ip, i);
}

inline bytes frame_maker::tcp_options(const flow *f, bool syn)
{
	bytes o;
	const auto add = [&o](std::initializer_list<u8> list) { o.insert(o.end(), list); };
	const auto add32 = [&o](u32 v) {
		o.resize(o.size() + 4);
		put32(o.data() + o.size() - 4, v);
	};
	if (d_.percent(4)) { // anything
		o = data(40);
		if (o.size() > 1 && d_.percent(70)) {
			static constexpr u8 kinds[] = {2, 3, 4, 5, 8, 19, 30, 34, 254};
			o[0] = d_.pick(kinds);
			o[1] = static_cast<u8>(d_.below(o.size() + 2));
		}
		return o;
	}
	if (syn) {
		if (d_.percent(90)) {
			const u32 mss = d_.percent(80) ? 1460 : d_.wild();
			add({2, 4, static_cast<u8>(mss >> 8), static_cast<u8>(mss)});
		}
		if (d_.percent(70))
			add({1, 3, 3, static_cast<u8>(d_.percent(80) ? 7 : d_.word())});
		if (d_.percent(70))
			add({1, 1, 4, 2});
		if (d_.percent(10)) { // fast open: a request, or a cookie
			add({34, static_cast<u8>(d_.percent(50) ? 2 : 10)});
			o.resize(o.size() + o.back() - 2u);
		}
	}
	if (syn ? d_.percent(70) : f && f->timestamps && d_.percent(97)) {
		add({1, 1, 8, 10});
		add32(d_.percent(95) ? now_ : d_.word() & 1 ? now_ - 100'000'000 : d_.wild());
		add32(f && (d_.percent(95)) ? f->ts_echo : d_.wild());
	}
	if (!syn && f && d_.percent(10)) { // SACK blocks
		const u32 n = 1 + d_.below(3);
		add({1, 1, 5, static_cast<u8>(2 + 8 * n)});
		for (u32 i = 0; i < n; ++i) {
			const u32 left = d_.percent(80) ? f->rcv_nxt + d_.below(20000) - 3000 : d_.wild();
			add32(left);
			add32(left + (d_.percent(90) ? d_.below(4000) : d_.wild()));
		}
	}
	if (d_.percent(1)) // MD5
		add({19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
	return o;
}

// Queries and reports, of all versions.
inline bytes frame_maker::make_igmp()
{
	static constexpr u8 types[] = {0x11, 0x11, 0x12, 0x16, 0x17, 0x22};
	static constexpr u32 groups[] = {0, 0xe0000001, 0xe0010203, 0xe00000fb, model_ip};
	const bool v3 = d_.percent(40);
	bytes g(v3 ? 12 + 4 * d_.below(6) : 8);
	g[0] = d_.percent(95) ? d_.pick(types) : static_cast<u8>(d_.word());
	g[1] = static_cast<u8>(d_.percent(70) ? d_.below(30) : d_.word());
	put32(g.data() + 4, d_.percent(95) ? d_.pick(groups) : d_.wild());
	if (v3) {
		g[8] = static_cast<u8>(d_.word());
		g[9] = static_cast<u8>(d_.percent(60) ? 10 : d_.word());
		put16(g.data() + 10, d_.percent(70) ? static_cast<u32>(g.size() - 12) / 4 : d_.wild());
	}
	put16(g.data() + 2, sum16(g.data(), g.size()));
	return ip(2, some_peer(), d_.percent(80) ? 0xe0000001 : d_.pick(groups), g);
}

// ---- choosing -------------------------------------------------------------------------------------------

inline frame_maker::flow &frame_maker::some_flow()
{
	if (flows_.empty() || d_.percent(8)) {
		flow f{some_peer(), static_cast<u16>(1024 + d_.below(60000)),
		       d_.percent(95) ? d_.pick(tcp_ports) : static_cast<u16>(d_.word())};
		f.snd_nxt = static_cast<u32>(d_.word());
		if (flows_.size() > 400)
			flows_.clear();
		const u64 key = u64{f.peer_ip} << 32 | u64{f.peer_port} << 16 | f.model_port;
		return flows_.insert_or_assign(key, f).first->second;
	}
	// The newer half is likelier to live; the map's order knows nothing of that, which is as good.
	auto it = flows_.lower_bound(d_.word() % (u64{peers_ip + 9} << 32));
	if (it == flows_.end() || d_.percent(70))
		it = std::next(flows_.begin(), d_.below(flows_.size()));
	return it->second;
}

inline bytes frame_maker::make_tcp()
{
	flow &f = some_flow();
	u32 seq = f.snd_nxt, ack = f.rcv_nxt,
	    window = d_.percent(80)   ? 0x2000
	             : d_.percent(30) ? 0
	                              : d_.wild();
	u8 flags = ACK;
	std::size_t room = 0;

	if (!f.last_flags) {
		flags = d_.percent(93) ? u8{SYN} : static_cast<u8>(d_.word());
		if (flags & SYN && d_.percent(10))
			flags |= ECE | CWR;
	} else {
		const u32 what = d_.below(100);
		if (what < 35) {
			flags = ACK | PSH;
			room = d_.percent(97) ? 1448 : 20000;
		} else if (what < 60) {
			flags = ACK;
		} else if (what < 68) {
			flags = FIN | ACK;
			room = d_.percent(30) ? 100 : 0;
		} else if (what < 71) {
			flags = static_cast<u8>(d_.percent(50) ? RST | ACK : RST);
		} else if (what < 74) {
			flags = static_cast<u8>(d_.percent(50) ? SYN | ACK : SYN);
		} else if (what < 77) {
			flags = ACK | URG | PSH;
			room = 300;
		} else if (what < 80) {
			flags = static_cast<u8>(d_.percent(50) ? ACK | ECE | CWR : ACK | ECE);
		} else if (what < 84) {
			flags = static_cast<u8>(d_.word());
			room = 100;
		} else {
			flags = ACK | PSH;
			room = 1448;
			seq += d_.below(8) * 1448;
		}
	}
	if (d_.percent(12))
		seq += d_.percent(50) ? d_.below(3000) - 1500 : d_.wild();
	if (d_.percent(15))
		ack += d_.percent(60) ? d_.below(30000) - 20000 : d_.wild();
	const bytes payload = data(room);
	bytes out = tcp(f, flags, seq, ack, window, tcp_options(&f, flags & SYN), payload);
	if (seq == f.snd_nxt && f.last_flags && !(flags & SYN))
		f.snd_nxt += static_cast<u32>(payload.size()) + (flags & FIN ? 1 : 0);
	return out;
}

inline bytes frame_maker::make_icmp()
{
	static constexpr u8 types[] = {0, 3, 3, 3, 4, 5, 8, 11, 12, 13, 14, 17};
	const u8 type = d_.percent(92) ? d_.pick(types) : static_cast<u8>(d_.word());
	const u8 code = static_cast<u8>(d_.percent(90) ? d_.below(16) : d_.word());
	bytes quoted;
	u32 rest = d_.wild();

	if (type == 3 && code == 4)
		rest = d_.percent(70) ? d_.below(1500) : d_.wild();
	if (type == 5)
		rest = d_.percent(50) ? peers_ip + 3 : d_.wild();
	if (!of_model_.empty() && d_.percent(85)) {
		const bytes &f = of_model_[d_.below(of_model_.size())];
		if (f.size() > 34 && get16(f.data() + 12) == 0x0800)
			quoted.assign(f.begin() + 14,
			              f.begin() + static_cast<long>(std::min<std::size_t>(
							  f.size(), 14 + 28 + d_.below(100))));
	} else {
		quoted = data(200);
	}
	return icmp(type, code, some_peer(), rest, quoted);
}

inline bytes frame_maker::make_noise()
{
	static constexpr u16 kinds[] = {0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8,
	                                0x8035, 0x0004, 0x05dc, 0x88cc};
	if (d_.percent(20))
		return data(1600);
	return ethernet(d_.percent(80) ? d_.pick(kinds) : static_cast<u16>(d_.word()),
	                data(d_.percent(90) ? 120 : 3000));
}

// A piece of an IP packet: with its siblings queued, or without, or overlapping.
inline bytes frame_maker::fragment(const bytes &frame)
{
	if (frame.size() < 14 + 20 + 16 || get16(frame.data() + 12) != 0x0800)
		return frame;
	const std::size_t head = 14 + static_cast<std::size_t>(frame[14] & 15) * 4;
	if (head >= frame.size() || head < 34)
		return frame;
	const std::size_t body = frame.size() - head;
	const std::size_t step = 8 + 8ul * d_.below(std::min<std::size_t>(body / 8, 60) + 1);
	std::vector<bytes> parts;
	for (std::size_t at = 0; at < body && parts.size() < 40; at += step) {
		std::size_t n = std::min(step, body - at);
		std::size_t offset = at;
		if (d_.percent(4))
			n = std::min(n + 8 + 8ul * d_.below(20), body - at);
		if (d_.percent(3))
			offset = d_.percent(40)   ? d_.below(8192) * 8ul
			         : d_.percent(50) ? at + 8
			                          : at - std::min<std::size_t>(at, 8ul * d_.below(10));
		bytes p(frame.begin(), frame.begin() + static_cast<long>(head));
		p.insert(p.end(), frame.begin() + static_cast<long>(head + at),
		         frame.begin() + static_cast<long>(head + at + n));
		put16(p.data() + 16, static_cast<u32>(p.size() - 14));
		const bool more = at + step < body;
		put16(p.data() + 20,
		      static_cast<u32>(offset / 8 & 0x1fff) | (more != d_.percent(2) ? 0x2000 : 0));
		put16(p.data() + 24, 0);
		put16(p.data() + 24, sum16(p.data() + 14, head - 14));
		parts.push_back(std::move(p));
	}
	for (std::size_t i = parts.size(); i > 1; --i)
		if (d_.percent(30))
			std::swap(parts[i - 1], parts[d_.below(i)]);
	for (std::size_t i = 1; i < parts.size(); ++i)
		for (u32 n = d_.percent(8) ? 0 : d_.percent(5) ? 2 : 1; n; --n)
			ready_.push_back(parts[i]);
	return parts[0];
}

inline void frame_maker::mutate(bytes &f)
{
	if (f.size() < 15)
		return;
	for (u32 n = 1 + d_.below(4); n; --n)
		switch (d_.below(6)) {
		case 0:
			f[d_.below(f.size())] = static_cast<u8>(d_.word());
			break;
		case 1:
			f[14 + d_.below(std::min<std::size_t>(f.size() - 14, 60))] ^=
				static_cast<u8>(1u << d_.below(8));
			break;
		case 2:
			f.resize(14 + d_.below(f.size() - 14));
			if (f.size() < 15)
				return;
			break;
		case 3: {
			const bytes more = data(60);
			f.insert(f.end(), more.begin(), more.end());
			break;
		}
		case 4:
			if (f.size() > 20)
				put16(f.data() + 16, d_.wild()); // IP's length
			break;
		default:
			f[14] = static_cast<u8>(d_.percent(50) ? 0x40 | d_.below(16) : d_.word());
			break;
		}
	// Half of them with IP's checksum right again, and of those half with TCP's and UDP's.
	if (f.size() >= 34 && get16(f.data() + 12) == 0x0800 && d_.percent(60)) {
		const std::size_t head = static_cast<std::size_t>(f[14] & 15) * 4;
		if (head < 20 || 14 + head > f.size())
			return;
		put16(f.data() + 24, 0);
		put16(f.data() + 24, sum16(f.data() + 14, head));
		const std::size_t at = 14 + head, len = f.size() - at;
		const std::size_t sum_at = f[23] == 6 ? 16 : f[23] == 17 ? 6 : f[23] == 1 ? 2 : 0;
		if (!sum_at || sum_at + 2 > len || !d_.percent(70))
			return;
		u8 pseudo[12] = {};
		std::memcpy(pseudo, f.data() + 26, 8);
		pseudo[9] = f[23];
		put16(pseudo + 10, static_cast<u32>(len));
		put16(f.data() + at + sum_at, 0);
		put16(f.data() + at + sum_at,
		      sum16(f.data() + at, len, f[23] == 1 ? 0 : static_cast<u16>(~sum16(pseudo, 12))));
	}
}

inline bytes frame_maker::make()
{
	const u32 what = d_.below(100);
	if (what < 62)
		return make_tcp();
	if (what < 72)
		return udp(some_peer(),
		           static_cast<u16>(d_.percent(90) ? peer_port + d_.below(4) : d_.wild()),
		           d_.percent(80) ? d_.pick(udp_ports) : static_cast<u16>(d_.word()),
		           data(d_.percent(90)   ? 300
		                : d_.percent(80) ? 4000
		                                 : 65400));
	if (what < 82)
		return make_icmp();
	if (what < 86)
		return make_arp();
	if (what < 87)
		return make_igmp();
	if (what < 91)
		return make_noise();
	if (what < 94) { // for others: forwarded, or not; with odd addresses
		static constexpr u32 odd[] = {0,          0xffffffff, 0x7f000001, 0xe0000001,
		                              0x0a0900ff, 0x0a080001, 0x0a080063, 0xc0a80101,
		                              0x0a090002, 0xf0000001, 0x0a0900fe, 0x0a070001};
		static constexpr u8 protocols[] = {1, 6, 17, 17, 41, 47, 50, 58, 132, 255};
		return ip(d_.pick(protocols), d_.percent(70) ? some_peer() : d_.pick(odd), d_.pick(odd),
		          data(d_.percent(80) ? 100 : 1480));
	}
	if (what < 97 && !sent_.empty())
		return sent_[d_.below(sent_.size())];
	if (!of_model_.empty()) { // its own back
		bytes f = of_model_[d_.below(of_model_.size())];
		if (d_.percent(80) && f.size() > 12)
			std::memcpy(f.data(), mac_.data(), 6);
		return f;
	}
	return make_noise();
}

inline bytes frame_maker::next()
{
	now_ += d_.below(5);
	bytes f;
	if (!ready_.empty() && d_.percent(70)) {
		f = std::move(ready_.front());
		ready_.pop_front();
	} else {
		f = make();
		if (d_.percent(6))
			f = fragment(f);
	}
	if (d_.percent(12))
		mutate(f);
	sent_.push_back(f);
	if (sent_.size() > 32)
		sent_.pop_front();
	return f;
}

// ---- answering ------------------------------------------------------------------------------------------

inline void frame_maker::react(flow &f, u8 flags, u32 seq, std::size_t data_bytes)
{
	if (ready_.size() > 64 || !d_.percent(75))
		return;
	const u32 window = d_.percent(90) ? 0x4000 : d_.wild();
	if (flags & RST) {
		f.last_flags = 0;
		return;
	}
	if ((flags & (SYN | ACK)) == SYN) {
		f.snd_nxt = static_cast<u32>(d_.word());
		f.rcv_nxt = seq + 1;
		ready_.push_back(
			d_.percent(80)
				? tcp(f, SYN | ACK, f.snd_nxt, f.rcv_nxt, window, tcp_options(&f, true), {})
			: d_.percent(50) ? tcp(f, RST | ACK, 0, f.rcv_nxt, 0, {}, {})
					 : tcp(f, SYN, f.snd_nxt, 0, window, tcp_options(&f, true), {}));
		++f.snd_nxt;
		return;
	}
	if (flags & SYN || data_bytes || flags & FIN)
		ready_.push_back(tcp(f, ACK, f.snd_nxt, f.rcv_nxt, window, tcp_options(&f, false), {}));
	if (flags & FIN && d_.percent(60)) {
		ready_.push_back(tcp(f, FIN | ACK, f.snd_nxt, f.rcv_nxt, window, tcp_options(&f, false), {}));
		++f.snd_nxt;
	}
}

inline void frame_maker::seen(const u8 *frame, std::size_t n)
{
	of_model_.emplace_back(frame, frame + n);
	if (of_model_.size() > 32)
		of_model_.pop_front();
	if (n < 42)
		return;
	if (get16(frame + 12) == 0x0806) {
		if (get16(frame + 20) == 1 && d_.percent(90))
			ready_.push_front(arp(2, get32(frame + 38), model_ip));
		return;
	}
	if (get16(frame + 12) != 0x0800 || frame[23] != 6 || n < 54)
		return;
	const std::size_t head = static_cast<std::size_t>(frame[14] & 15) * 4;
	const u8 *t = frame + 14 + head;
	if (14 + head + 20 > n)
		return;
	const std::size_t options = static_cast<std::size_t>(t[12] >> 4) * 4;
	const u32 peer = get32(frame + 30);
	const u64 key = u64{peer} << 32 | u64{get16(t + 2)} << 16 | get16(t);
	flow &f = flows_.try_emplace(key,
	                             flow{peer, static_cast<u16>(get16(t + 2)), static_cast<u16>(get16(t))})
	                  .first->second;
	const u32 seq = get32(t + 4);
	const std::size_t payload =
		get16(frame + 16) > head + options ? get16(frame + 16) - head - options : 0;
	const u8 flags = t[13];
	if (options >= 32 && 14 + head + options <= n && t[20] == 1 && t[22] == 8) {
		f.timestamps = true;
		f.ts_echo = get32(t + 24);
	} else if (flags & SYN) {
		f.timestamps = options >= 36;
	}
	if (flags & SYN && flags & ACK)
		f.snd_nxt = get32(t + 8);
	const u32 end = seq + static_cast<u32>(payload) + (flags & (SYN | FIN) ? 1 : 0);
	if (static_cast<s32>(end - f.rcv_nxt) > 0 || flags & SYN || d_.one_in(50))
		f.rcv_nxt = end;
	f.last_flags = flags;
	react(f, flags, seq, payload);
}

} // namespace skbwalk::fuzz
