// SPDX-License-Identifier: GPL-2.0-only
//
// The card sends: a write of TDT lets it read descriptors from TDH on. A context descriptor says how the
// packets after it are summed and cut; data descriptors gather a packet, and with the one that ends it the
// packet goes into the packet buffer, from where the wire takes it at its rate. Descriptors that want it are
// marked done once their packet is in the buffer; when it is full, the rest waits in the ring.
#include <algorithm>
#include <cstring>
#include <limits>

#include "devices/e1000/card.h"
#include "stack/kernel/prefetch.h"

namespace skbwalk {

namespace {

// How far ahead of what is copied a packet's memory is asked for. By itself a cpu does not go on beyond the
// end of a page.
constexpr std::size_t ahead = 4096;

// What a packet may gather: TSO's 64 KiB and headers.
constexpr std::size_t packet_bytes_max = 65536 + 256;

u16 get16(std::span<const std::byte> bytes, std::size_t at)
{
	return static_cast<u16>(static_cast<u16>(bytes[at]) << 8 | static_cast<u16>(bytes[at + 1]));
}

void put16(std::span<std::byte> bytes, std::size_t at, u32 value)
{
	bytes[at] = static_cast<std::byte>(value >> 8);
	bytes[at + 1] = static_cast<std::byte>(value);
}

u32 get32(std::span<const std::byte> bytes, std::size_t at)
{
	return static_cast<u32>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}

void put32(std::span<std::byte> bytes, std::size_t at, u32 value)
{
	put16(bytes, at, value >> 16);
	put16(bytes, at + 2, value & 0xffff);
}

// The end of what is summed, from what a context descriptor says: the last byte, or 0 for the packet's.
std::size_t sum_end(std::size_t last) { return last ? last + 1 : std::numeric_limits<std::size_t>::max(); }

// Sums from `start` to `last` and puts the complement at `offset`: whoever made the packet has put there what
// the sum begins with. From `known` on the sum is known.
void insert_sum(std::span<std::byte> bytes, std::size_t start, std::size_t offset, std::size_t last,
                std::size_t known = std::numeric_limits<std::size_t>::max(), u32 known_sum = 0)
{
	const std::size_t stop = std::min(sum_end(last), bytes.size());

	if (start >= stop || offset + 2 > bytes.size())
		return;

	const std::size_t n = std::min(known, stop) - start;

	if (n & 1) // behind the middle of a word
		known_sum = __builtin_bswap16(static_cast<u16>(known_sum));
	put16(bytes, offset, static_cast<u16>(~card_sum(bytes.data() + start, n, known_sum)));
}

} // namespace

void e1000_card::begin_packet(bool cut, u32 options)
{
	packet_options_ = options;
	packet_cut_ = cut;
	packet_context_ = cut ? cut_context_ : sum_context_;
	frame_room_ = cut && packet_context_.mss.get() ? packet_context_.hdr_len + packet_context_.mss.get()
	                                               : packet_bytes_max;
}

// What is copied of a frame is summed from TCP's or UDP's header on, but where packets are cut only what
// stays as it is: behind the headers.
summed_copy e1000_card::copy_of_frame() const
{
	const e1000_context_desc &c = packet_context_;

	if (!(packet_options_ & E1000_TXD_POPTS_TXSM))
		return {0, 0};
	return {packet_cut_ ? std::size_t{c.hdr_len} : c.tucss, sum_end(c.tucse.get())};
}

// Appends to the packet; null: zeros. Behind a frame that is full comes another, with the first one's
// headers.
void e1000_card::gather(const std::byte *from, std::size_t n)
{
	packet_bytes_ += n;
	while (n) {
		if (!packet_frames_ || frames_[packet_frames_ - 1].copy.size() == frame_room_) {
			if (packet_frames_ == frames_.size())
				frames_.push_back({{}, copy_of_frame()});
			outgoing &next = frames_[packet_frames_];

			next.copy = copy_of_frame();
			if (packet_frames_++) {
				next.bytes.resize(frame_room_);
				next.copy.append(next.bytes.data(), frames_[0].bytes.data(),
				                 packet_context_.hdr_len);
			}
		}

		outgoing &frame = frames_[packet_frames_ - 1];
		const std::size_t filled = frame.copy.size(), piece = std::min(n, frame_room_ - filled);

		if (frame.bytes.size() < filled + piece)
			frame.bytes.resize(filled + piece);
		frame.copy.append(frame.bytes.data() + filled, from, piece);
		if (from) {
			prefetch_range(from + ahead, piece);
			from += piece;
		}
		n -= piece;
	}
}

void e1000_card::send_frame(std::vector<std::byte> &frame)
{
	if (packet_tagged_ && frame.size() >= 12) {
		const std::byte tag[4] = {std::byte{0x81}, std::byte{0},
		                          static_cast<std::byte>(packet_tag_ >> 8),
		                          static_cast<std::byte>(packet_tag_)};

		frame.insert(frame.begin() + 12, std::begin(tag), std::end(tag));
	}
	if (reg(E1000_TCTL) & E1000_TCTL_PSP && frame.size() < ETH_ZLEN)
		frame.resize(ETH_ZLEN);

	const auto length = static_cast<u32>(frame.size());

	++reg(E1000_TPT);
	++reg(E1000_GPTC);
	reg(E1000_GOTCL) += length + ETH_FCS_LEN;
	leaving_bytes_ += length;
	leaving_.emplace_back(port_.send(frame), length);
}

// TCP segmentation: the headers before each piece, with lengths, IP's id, the sequence number and flags as
// they are for that piece.
void e1000_card::send_cut()
{
	const e1000_context_desc &c = packet_context_;
	const std::size_t header = c.hdr_len, mss = c.mss.get();
	const u32 command = c.cmd_and_length.get();
	const bool ipv4 = command & E1000_TXD_CMD_IP, tcp = command & E1000_TXD_CMD_TCP;
	const std::size_t ip = c.ipcss, transport = c.tucss;

	if (!mss || packet_bytes_ < header || header < transport + (tcp ? 20u : 8u) || transport < ip + 20u) {
		++counters_.tx_bad_descriptors;
		return;
	}
	++reg(E1000_TSCTC);
	if (packet_bytes_ == header)
		return;

	const u32 first_seq = tcp ? get32(frames_[0].bytes, transport + 4) : 0;
	const u16 first_id = ipv4 ? get16(frames_[0].bytes, ip + 4) : u16{0};

	for (std::size_t n = 0; n < packet_frames_; ++n) {
		std::vector<std::byte> &frame = frames_[n].bytes;
		const bool last = n + 1 == packet_frames_;

		frame.resize(frames_[n].copy.size());
		if (ipv4) {
			put16(frame, ip + 2, static_cast<u32>(frame.size() - ip));
			put16(frame, ip + 4, static_cast<u32>(first_id + n) & 0xffff);
		} else {
			put16(frame, ip + 4, static_cast<u32>(frame.size() - ip - 40));
		}
		if (tcp) {
			put32(frame, transport + 4, first_seq + static_cast<u32>(n * mss));
			if (!last) // FIN and PSH are the last piece's
				frame[transport + 13] &= ~std::byte{TCPHDR_FIN | TCPHDR_PSH};
			if (n) // CWR the first one's
				frame[transport + 13] &= ~std::byte{TCPHDR_CWR};
		} else {
			put16(frame, transport + 4, static_cast<u32>(frame.size() - transport));
		}
		if (packet_options_ & E1000_TXD_POPTS_TXSM && c.tucso + 2u <= frame.size()) {
			// The driver leaves the length out of what the sum begins with.
			u32 begin = get16(frame, c.tucso) + static_cast<u32>(frame.size() - transport);

			begin = (begin & 0xffff) + (begin >> 16);
			put16(frame, c.tucso, begin);
			insert_sum(frame, transport, c.tucso, c.tucse.get(), header, frames_[n].copy.sum());
		}
		if (packet_options_ & E1000_TXD_POPTS_IXSM)
			insert_sum(frame, ip, c.ipcso, c.ipcse.get());
		++counters_.tx_segments_cut;
		send_frame(frame);
	}
}

void e1000_card::send_packet()
{
	if (packet_cut_) {
		send_cut();
	} else if (packet_frames_) {
		const e1000_context_desc &c = packet_context_;
		std::vector<std::byte> &frame = frames_[0].bytes;

		frame.resize(frames_[0].copy.size());
		if (packet_options_ & E1000_TXD_POPTS_TXSM)
			insert_sum(frame, c.tucss, c.tucso, c.tucse.get(), c.tucss, frames_[0].copy.sum());
		if (packet_options_ & E1000_TXD_POPTS_IXSM)
			insert_sum(frame, c.ipcss, c.ipcso, c.ipcse.get());
		send_frame(frame);
	}
	packet_frames_ = packet_bytes_ = 0;
	packet_cut_ = packet_tagged_ = false;
	packet_options_ = 0;
}

// The one at TDH. True: it wants to be told of.
bool e1000_card::take_descriptor()
{
	const dma_addr_t ring = reg(E1000_TDBAL) | u64{reg(E1000_TDBAH)} << 32;
	const dma_addr_t where = ring + reg(E1000_TDH) * sizeof(e1000_tx_desc);
	std::byte *const in_ring = dma_writable(dma, where, sizeof(e1000_tx_desc));
	e1000_tx_desc desc{};

	if (in_ring)
		std::memcpy(&desc, in_ring, sizeof(desc));

	const u32 lower = desc.lower.get(), upper = desc.upper.get();
	const bool extended = lower & E1000_TXD_CMD_DEXT;

	if (extended && !(lower & E1000_TXD_DTYP_D)) {
		e1000_context_desc context;

		std::memcpy(&context, &desc, sizeof(context));
		(lower & E1000_TXD_CMD_TSE ? cut_context_ : sum_context_) = context;
	} else {
		const std::size_t length = extended ? lower & 0xfffff : lower & 0xffff;

		if (!packet_bytes_) // the first one's word counts
			begin_packet(extended && lower & E1000_TXD_CMD_TSE, extended ? upper >> 8 & 0xff : 0);
		if (length && packet_bytes_ + length <= packet_bytes_max) {
			gather(dma_readable(dma, desc.buffer_addr.get(), length), length);
		} else {
			++counters_.tx_bad_descriptors;
		}
		if (lower & E1000_TXD_CMD_EOP) {
			packet_tagged_ = lower & E1000_TXD_CMD_VLE && reg(E1000_CTRL) & E1000_CTRL_VME;
			packet_tag_ = static_cast<u16>(upper >> 16);
			send_packet();
		}
	}
	if (!(lower & E1000_TXD_CMD_RS))
		return false;
	desc.upper.set(upper | E1000_TXD_STAT_DD);
	if (in_ring)
		std::memcpy(in_ring, &desc, sizeof(desc));
	return true;
}

// Asks for the memory that is read first when there is room again.
void e1000_card::fetch_packet()
{
	const u32 count = reg(E1000_TDLEN) / u32{sizeof(e1000_tx_desc)};
	const dma_addr_t ring = reg(E1000_TDBAL) | u64{reg(E1000_TDBAH)} << 32;
	std::size_t left = ahead;

	for (u32 at = reg(E1000_TDH); left && at != reg(E1000_TDT); at = (at + 1) % count) {
		const std::byte *const in_ring =
			peek(ring + at * sizeof(e1000_tx_desc), sizeof(e1000_tx_desc));
		e1000_tx_desc desc;

		if (!in_ring)
			return;
		std::memcpy(&desc, in_ring, sizeof(desc));

		const u32 lower = desc.lower.get();

		if (lower & E1000_TXD_CMD_DEXT && !(lower & E1000_TXD_DTYP_D))
			continue;

		const std::size_t length = std::min<std::size_t>(lower & 0xffff, left);
		const std::byte *const buffer = peek(desc.buffer_addr.get(), length);

		if (!buffer)
			return;
		prefetch_range(buffer, length);
		left -= length;
	}
}

// When so many bytes of what is on its way out have left.
u64 e1000_card::left_ns(std::size_t bytes) const
{
	for (const auto &[when_ns, frame_bytes] : leaving_) {
		if (bytes <= frame_bytes)
			return when_ns;
		bytes -= frame_bytes;
	}
	return leaving_.back().first;
}

void e1000_card::transmit()
{
	const u32 count = reg(E1000_TDLEN) / u32{sizeof(e1000_tx_desc)};
	const u32 room = (packet_buffer_kib - (reg(E1000_PBA) & 0xffff)) * 1024;
	u32 cause = 0;

	if (!(reg(E1000_TCTL) & E1000_TCTL_EN) || !link_up_ || !count)
		return;
	while (reg(E1000_TDH) != reg(E1000_TDT) && reg(E1000_TDT) < count) {
		const u64 now_ns = port_.now_ns();

		while (!leaving_.empty() && leaving_.front().first <= now_ns) {
			leaving_bytes_ -= leaving_.front().second;
			leaving_.pop_front();
		}
		if (leaving_bytes_ >= room && !leaving_.empty()) {
			fetch_packet();
			call_at(
				left_ns(leaving_bytes_ - room + 1),
				[](void *arg) {
					auto &card = *static_cast<e1000_card *>(arg);
					card.transmit_event_ = 0;
					card.transmit();
				},
				transmit_event_);
			break;
		}
		if (take_descriptor())
			cause |= E1000_ICR_TXDW;
		reg(E1000_TDH) = (reg(E1000_TDH) + 1) % count;
	}
	if (cause && reg(E1000_TDH) == reg(E1000_TDT))
		cause |= E1000_ICR_TXQE;
	if (cause)
		set_cause(cause);
}

} // namespace skbwalk
